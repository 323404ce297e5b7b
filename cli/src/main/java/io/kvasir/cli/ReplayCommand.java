package io.kvasir.cli;

import io.kvasir.cli.replay.ReplayOptions;
import io.kvasir.cli.replay.ReplayReport;
import io.kvasir.cli.replay.TraceReplay;
import io.kvasir.node.config.ByteSize;
import io.kvasir.placement.EvictionPolicies;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code kvasir replay}. */
@Command(
    name = "replay",
    description = "Replay a request trace against real node processes and prove every byte.",
    mixinStandardHelpOptions = true)
final class ReplayCommand implements Callable<Integer> {
  @Spec private @Nullable CommandSpec spec;

  @Option(
      names = "--trace",
      required = true,
      paramLabel = "FILE",
      description = "Trace in Mooncake's format, one JSON request a line.")
  private Path trace = Path.of("");

  @Option(
      names = "--nodes",
      required = true,
      paramLabel = "N",
      description = "Node processes to start.")
  private int nodes;

  @Option(
      names = "--bytes-per-token",
      defaultValue = "16",
      paramLabel = "BYTES",
      description = "Bytes that stand for one token (default: ${DEFAULT-VALUE}).")
  private int bytesPerToken;

  @Option(names = "--limit", paramLabel = "N", description = "Read this many requests at most.")
  private int limit = Integer.MAX_VALUE;

  @Option(
      names = "--capacity",
      paramLabel = "SIZE",
      description = "Slab bytes per node, for example 256MiB; without it nothing is evicted.")
  private @Nullable String capacity;

  @Option(
      names = "--policy",
      defaultValue = "lru",
      paramLabel = "P",
      description = "Eviction policy: lru or s3fifo (default: ${DEFAULT-VALUE}).")
  private String policy = "lru";

  @Option(
      names = "--kill-node",
      paramLabel = "I",
      description = "Kill node I (from 0) with SIGKILL; needs --at-request.")
  private @Nullable Integer killNode;

  @Option(
      names = "--at-request",
      paramLabel = "N",
      description = "Kill it while request N (from 0) runs.")
  private @Nullable Integer atRequest;

  @Option(
      names = "--corrupt",
      paramLabel = "I",
      description = "Flip one byte of a committed chunk in the slab of node I.")
  private @Nullable Integer corrupt;

  @Option(
      names = "--slab-dir",
      defaultValue = "/dev/shm",
      paramLabel = "DIR",
      description = "Folder for the slabs (default: ${DEFAULT-VALUE}).")
  private Path slabDirectory = Path.of("/dev/shm");

  @Mixin private JsonOption json = new JsonOption();

  @Override
  public Integer call() throws IOException {
    ReplayReport report = TraceReplay.run(options(), System.err);
    json.write(report, report::print);
    return report.isGood() ? 0 : 1;
  }

  private ReplayOptions options() {
    try {
      if ((killNode == null) != (atRequest == null)) {
        throw new IllegalArgumentException(
            "KVA-0612 --kill-node and --at-request belong together; give both or none");
      }
      if (Files.isDirectory(trace) || !Files.isReadable(trace)) {
        throw new IllegalArgumentException(
            "KVA-0612 trace cannot be read - file=" + trace + "; name a readable file");
      }
      SlabFolder.require(slabDirectory);
      if (atRequest != null && atRequest < 0) {
        throw new IllegalArgumentException(
            "KVA-0612 replay option rejected - at-request=" + atRequest + " (limit=0)");
      }
      EvictionPolicies.create(policy, 1);
      return new ReplayOptions(
          trace,
          nodes,
          bytesPerToken,
          limit,
          capacityBytes(),
          policy,
          killNode,
          atRequest == null ? 0 : atRequest,
          corrupt,
          slabDirectory);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(
          java.util.Objects.requireNonNull(spec).commandLine(), String.valueOf(e.getMessage()), e);
    }
  }

  private @Nullable Long capacityBytes() {
    if (capacity == null) {
      return null;
    }
    try {
      return ByteSize.parse(capacity);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "KVA-0612 replay option rejected - capacity="
              + capacity
              + "; give a number of bytes, for example 4096, 64KiB, 512MiB or 1.5GiB",
          e);
    }
  }
}
