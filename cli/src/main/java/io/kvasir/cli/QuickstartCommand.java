package io.kvasir.cli;

import io.kvasir.cli.quickstart.Quickstart;
import io.kvasir.cli.quickstart.QuickstartResult;
import io.kvasir.cli.quickstart.QuickstartTable;
import java.io.IOException;
import java.nio.file.Path;
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
      defaultValue = "64",
      paramLabel = "N",
      description = "Prompts, each with and without the cache (default: ${DEFAULT-VALUE}).")
  private int requests;

  @Option(names = "--keep", description = "Leave the nodes running.")
  private boolean keep;

  @Mixin private JsonOption json = new JsonOption();

  @Override
  public Integer call() throws IOException {
    requireWithin("--nodes", nodes, 2, NODES_MAX);
    requireWithin("--requests", requests, 1, REQUESTS_MAX);
    QuickstartResult result =
        Quickstart.run(
            Path.of(System.getProperty("kvasir.home", "")), nodes, requests, keep, System.err);
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
