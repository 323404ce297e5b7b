package io.kvasir.cli;

import io.kvasir.cli.quickstart.PrefillDecode;
import io.kvasir.cli.quickstart.PrefillDecodeResult;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir demo prefill-decode}: hands KV from one engine to another while it is computed. */
@Command(
    name = "prefill-decode",
    description = "Prefill on one node, decode on another, and compare every logit.",
    mixinStandardHelpOptions = true)
final class PrefillDecodeCommand implements Callable<Integer> {
  @Option(
      names = "--pace",
      description = "Also hand off KV that is made at 0.7 times the rate of the lane.")
  private boolean isPaced;

  @Mixin private JsonOption json = new JsonOption();

  @Override
  public Integer call() throws IOException {
    PrefillDecodeResult result =
        PrefillDecode.run(Path.of(System.getProperty("kvasir.home", "")), isPaced, System.err);
    json.write(result, result::print);
    return result.isSuccess() ? 0 : 1;
  }
}
