package io.kvasir.cli;

import io.kvasir.cli.status.LastRun;
import io.kvasir.cli.status.StatusProbe;
import io.kvasir.cli.status.StatusReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir status}. */
@Command(
    name = "status",
    description = "Show members, capacity and chunks, as running nodes see them.",
    mixinStandardHelpOptions = true)
final class StatusCommand implements Callable<Integer> {
  @Option(
      names = "--run-dir",
      paramLabel = "DIR",
      description =
          "Run directory of a node, or a directory of run directories; default: those of the last"
              + " quickstart --keep.")
  private @Nullable Path runDirectory;

  @Mixin private JsonOption json = new JsonOption();

  @Override
  public Integer call() throws IOException {
    StatusReport report = StatusProbe.ask(runDirectory != null ? runDirectory : lastRun());
    json.write(report, report::print);
    report.problems().forEach(problem -> System.err.println("kvasir: " + problem));
    return report.problems().isEmpty() ? 0 : 1;
  }

  private static Path lastRun() throws IOException {
    Path directory = LastRun.ofUser().read();
    if (directory == null) {
      throw new IOException(
          "KVA-0136 no directory named and none remembered; give --run-dir DIR, or start nodes with"
              + " kvasir quickstart --keep");
    }
    return directory;
  }
}
