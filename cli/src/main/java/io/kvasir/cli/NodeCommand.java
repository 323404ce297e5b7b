package io.kvasir.cli;

import io.kvasir.node.NodeMain;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code kvasir node}: {@link NodeMain} with help and checked usage. */
@Command(
    name = "node",
    description = "Run one member of a cluster in the foreground.",
    footer = {
      "",
      "Prints one line READY {json} to standard output when it serves. SIGTERM or SIGINT stop it in"
          + " order; slab and directory stay, so a restart keeps the cache.",
      "KVASIR_LOG_LEVEL (default INFO) sets how much it logs to standard error."
    },
    mixinStandardHelpOptions = true)
final class NodeCommand implements Callable<Integer> {
  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "YAML file; without one the defaults, the environment and --set count.")
  private @Nullable String config;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Override one key; may be repeated.")
  private List<String> overrides = new ArrayList<>();

  @Option(names = "--print-config", description = "Print everything in force as YAML and exit.")
  private boolean printConfig;

  @Option(
      names = "--stop-on-stdin-eof",
      description = "Stop when standard input ends, so that the node never outlives its parent.")
  private boolean stopOnStdinEof;

  @Override
  public Integer call() {
    List<String> args = new ArrayList<>();
    if (config != null) {
      args.addAll(List.of("--config", config));
    }
    for (String override : overrides) {
      args.addAll(List.of("--set", override));
    }
    if (printConfig) {
      args.add("--print-config");
    }
    if (stopOnStdinEof) {
      args.add("--stop-on-stdin-eof");
    }
    return NodeMain.run(args.toArray(String[]::new), System.out, System.err);
  }
}
