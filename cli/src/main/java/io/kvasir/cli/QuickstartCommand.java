package io.kvasir.cli;

import io.kvasir.cli.quickstart.Quickstart;
import io.kvasir.cli.quickstart.QuickstartResult;
import io.kvasir.cli.quickstart.QuickstartTable;
import io.kvasir.cli.quickstart.SlowLink;
import io.kvasir.cli.quickstart.SlowLinkResult;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code kvasir quickstart}. */
@Command(
    name = "quickstart",
    description = "Start a small cluster on this machine and show what sharing prefixes saves.",
    mixinStandardHelpOptions = true)
final class QuickstartCommand implements Callable<Integer> {
  private static final int NODES_MAX = 16;
  private static final int REQUESTS = 64;
  private static final int REQUESTS_THROTTLED = 24;
  private static final int REQUESTS_MAX = 10_000;

  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--nodes",
      defaultValue = "3",
      paramLabel = "N",
      description = "Nodes, and engines, to start (default: ${DEFAULT-VALUE}).")
  private int nodes;

  @Option(
      names = "--requests",
      paramLabel = "N",
      description = "Prompts, each with and without the cache (default: 64, throttled 24).")
  private @Nullable Integer requests;

  @Option(names = "--keep", description = "Leave the nodes running.")
  private boolean keep;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Override one key of every node; may be repeated.")
  private List<String> overrides = new ArrayList<>();

  @Option(
      names = "--throttle",
      description = "Two nodes over a link that is too slow to win: what does the cache cost then?")
  private boolean isThrottled;

  @Mixin private JsonOption json = new JsonOption();

  @Override
  public Integer call() throws IOException {
    if (isThrottled && (keep || !overrides.isEmpty())) {
      throw new ParameterException(
          Objects.requireNonNull(spec).commandLine(),
          "KVA-0603 --throttle does not go with --keep or --set; leave one out");
    }
    requireWithin("--nodes", nodes, 2, NODES_MAX);
    int wanted = requests != null ? requests : isThrottled ? REQUESTS_THROTTLED : REQUESTS;
    requireWithin("--requests", wanted, 1, REQUESTS_MAX);
    if (isThrottled) {
      SlowLinkResult result = SlowLink.run(wanted, System.err);
      json.write(result, result::print);
      return result.isSuccess() ? 0 : 1;
    }
    QuickstartResult result =
        Quickstart.run(
            Path.of(System.getProperty("kvasir.home", "")),
            nodes,
            wanted,
            keep,
            overrides,
            System.err);
    json.write(result, out -> QuickstartTable.print(result, out));
    return result.isSuccess() ? 0 : 1;
  }

  private void requireWithin(String option, int value, int min, int max) {
    if (value < min || value > max) {
      throw new ParameterException(
          Objects.requireNonNull(spec).commandLine(),
          "KVA-0603 " + option + "=" + value + " (limit=" + min + ".." + max + "); correct it");
    }
  }
}
