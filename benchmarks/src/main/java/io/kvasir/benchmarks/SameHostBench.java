package io.kvasir.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import io.kvasir.benchmarks.reference.CopyCrc;
import io.kvasir.benchmarks.reference.Memcpy;
import io.kvasir.benchmarks.reference.PrefaultedFile;
import io.kvasir.benchmarks.reference.Reference;
import io.kvasir.node.local.LocalCluster;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * {@code bench samehost}: chunks of 1 to 64 MiB that one node process copies out of the slab of
 * another, beside copy + CRC-32C and memcpy of as many bytes in one process.
 */
public final class SameHostBench {
  private static final int MIB = 1 << 20;
  private static final int[] CHUNK_BYTES = {MIB, 4 * MIB, 16 * MIB, 32 * MIB, 64 * MIB};
  private static final int ROUND_BYTES = 128 * MIB;
  private static final long SLAB_BYTES = 4L * ROUND_BYTES;
  private static final int READER = 1;
  private static final long NEIGHBOUR_WITHIN_NS = TimeUnit.MINUTES.toNanos(2);

  private SameHostBench() {}

  /** Runs the benchmark; its files live under {@code directory}, which is in shared memory. */
  public static BenchReport run(Path directory, PrintStream progress) throws IOException {
    List<Reference> sides = new ArrayList<>();
    try (PrefaultedFile content = new PrefaultedFile(directory.resolve("content"), 64L * MIB, 7)) {
      LocalCluster cluster =
          LocalCluster.builder()
              .nodes(2)
              .sameHost()
              .slabDirectory(directory)
              .slabBytes(SLAB_BYTES)
              .start();
      sides.add(new KvasirPull("samehost", cluster, content.memory()));
      awaitNeighbour(cluster);
      sides.add(new CopyCrc(directory, ROUND_BYTES));
      sides.add(new Memcpy(directory, ROUND_BYTES));
      List<BenchResult> rows = rows(sides, progress);
      requireAllCopied(cluster);
      return new BenchReport(BenchReport.Machine.current(), rows);
    } finally {
      for (Reference side : sides.reversed()) {
        side.close();
      }
    }
  }

  private static List<BenchResult> rows(List<Reference> sides, PrintStream progress)
      throws IOException {
    List<BenchResult> rows = new ArrayList<>();
    Rounds.warmUp(sides, CHUNK_BYTES[0], ROUND_BYTES / CHUNK_BYTES[0], progress);
    for (int chunkBytes : CHUNK_BYTES) {
      int chunks = ROUND_BYTES / chunkBytes;
      Map<String, double[]> samples = Rounds.measure(sides, chunkBytes, chunks, progress);
      String ours = sides.getFirst().name();
      for (Reference rival : sides.subList(1, sides.size())) {
        rows.add(
            BenchResult.throughput(
                ours,
                chunkBytes,
                chunks,
                Objects.requireNonNull(samples.get(ours)),
                rival.name(),
                Objects.requireNonNull(samples.get(rival.name()))));
      }
    }
    return rows;
  }

  private static void awaitNeighbour(LocalCluster cluster) throws IOException {
    long startNs = System.nanoTime();
    while (peers(cluster).path("neighbours").asInt() == 0) {
      if (System.nanoTime() - startNs > NEIGHBOUR_WITHIN_NS) {
        throw new IllegalStateException(
            "KVA-0668 the nodes do not read each other's slab - log="
                + cluster.node(READER).log()
                + " (limit=2 min)");
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
  }

  /** What went over the network would be another benchmark. */
  private static void requireAllCopied(LocalCluster cluster) throws IOException {
    long pulledBytes = peers(cluster).path("bytesPulled").asLong();
    if (pulledBytes > 0) {
      throw new IllegalStateException(
          "KVA-0669 chunks went over the network - pulledBytes="
              + pulledBytes
              + "; run it on a machine with less to do");
    }
  }

  private static JsonNode peers(LocalCluster cluster) throws IOException {
    return cluster.node(READER).stats().path("peers");
  }
}
