package io.kvasir.cli;

import io.kvasir.benchmarks.BenchReport;
import io.kvasir.benchmarks.LoadBench;
import io.kvasir.benchmarks.LookupBench;
import io.kvasir.benchmarks.PullBench;
import io.kvasir.benchmarks.SameHostBench;
import io.kvasir.node.local.LocalFolder;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code kvasir bench}. */
@Command(
    name = "bench",
    description = "Measure lookup, load, pull or samehost beside a reference in the same run.",
    mixinStandardHelpOptions = true)
final class BenchCommand implements Callable<Integer> {
  /** What can be measured. */
  enum Bench {
    lookup,
    load,
    pull,
    samehost
  }

  @Spec private @Nullable CommandSpec spec;

  @Parameters(paramLabel = "BENCH", description = "One of: ${COMPLETION-CANDIDATES}")
  private Bench bench = Bench.lookup;

  @Option(
      names = "--slab-dir",
      defaultValue = "/dev/shm",
      paramLabel = "DIR",
      description = "Folder for the slabs (default: ${DEFAULT-VALUE}).")
  private Path slabDirectory = Path.of("/dev/shm");

  @Option(
      names = "--mtu",
      paramLabel = "BYTES",
      description =
          "pull only: largest datagram, which the loopback device must enforce (default: chosen by"
              + " the nodes).")
  private int mtuBytes;

  @Mixin private JsonOption json = new JsonOption();

  @Override
  public Integer call() throws IOException {
    try {
      SlabFolder.require(slabDirectory);
      if (mtuBytes != 0) {
        requirePath();
      }
    } catch (IllegalArgumentException e) {
      throw new ParameterException(
          Objects.requireNonNull(spec).commandLine(), String.valueOf(e.getMessage()), e);
    }
    LocalFolder folder = LocalFolder.create(slabDirectory, "kvasir-bench-");
    Thread cleaner = Thread.ofPlatform().unstarted(() -> delete(folder));
    Runtime.getRuntime().addShutdownHook(cleaner);
    BenchReport report = run(folder.path(), System.err);
    json.write(report, report::print);
    return 0;
  }

  private void requirePath() {
    if (bench != Bench.pull) {
      throw new IllegalArgumentException(
          "KVA-0671 --mtu=" + mtuBytes + " is for pull alone - bench=" + bench);
    }
    PullBench.requirePath(mtuBytes);
  }

  private BenchReport run(Path directory, PrintStream progress) throws IOException {
    return switch (bench) {
      case lookup -> LookupBench.run(directory, progress);
      case load -> LoadBench.run(directory, progress);
      case pull -> PullBench.run(directory, mtuBytes, progress);
      case samehost -> SameHostBench.run(directory, progress);
    };
  }

  /** At the end of the JVM, so also after Ctrl-C. */
  private static void delete(LocalFolder folder) {
    try {
      folder.close();
    } catch (IOException e) {
      System.err.println("kvasir: files not deleted - directory=" + folder.path() + " cause=" + e);
    }
  }
}
