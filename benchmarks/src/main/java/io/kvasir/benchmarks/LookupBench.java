package io.kvasir.benchmarks;

import io.kvasir.benchmarks.reference.UdpRing;
import io.kvasir.connectors.client.LookupResult;
import io.kvasir.node.local.LocalCluster;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;

/**
 * {@code bench lookup}: LOOKUP of 128-chunk prefixes through the engine socket of a node that holds
 * none of them. Three nodes, so two thirds of the groups are owned by other nodes. 10,000 distinct
 * prefixes: 625 conversations of 16 turns that share their first 112 chunks. After each lookup a
 * datagram goes round as many processes as the lookup: the reader's node, an owner, and back.
 */
public final class LookupBench {
  private static final int NODES = 3;
  private static final int PREFIX_CHUNKS = 128;
  private static final int SHARED_CHUNKS = 112;
  private static final int ROOTS = 625;
  private static final int BRANCHES = 16;

  /** A lookup moves no chunk bytes; a slot takes at least 4 KiB. */
  private static final int CHUNK_BYTES = 64;

  private static final long SLAB_BYTES = 1L << 30;
  private static final long INDEX_BYTES = 256L << 20;
  private static final int WARM_UP = 40_000;
  private static final long SEED = 20_261_122;
  private static final int RING_PROCESSES = 3;

  private LookupBench() {}

  /** Runs the benchmark; its files live under {@code directory}, which is in shared memory. */
  public static BenchReport run(Path directory, PrintStream progress) throws IOException {
    try (LocalCluster cluster =
        LocalCluster.builder()
            .nodes(NODES)
            .slabDirectory(directory)
            .slabBytes(SLAB_BYTES)
            .indexBytes(INDEX_BYTES)
            .set(
                "store.max-chunks="
                    + (ROOTS * (SHARED_CHUNKS + BRANCHES * (PREFIX_CHUNKS - SHARED_CHUNKS))))
            .start()) {
      populate(cluster, progress);
      try (BenchEngine reader = new BenchEngine(cluster.node(0).engineSocket(), CHUNK_BYTES);
          UdpRing ring = new UdpRing(RING_PROCESSES)) {
        return new BenchReport(BenchReport.Machine.current(), measure(reader, ring, progress));
      }
    }
  }

  private static void populate(LocalCluster cluster, PrintStream progress) {
    try (BenchEngine one = new BenchEngine(cluster.node(1).engineSocket(), CHUNK_BYTES);
        BenchEngine two = new BenchEngine(cluster.node(2).engineSocket(), CHUNK_BYTES);
        Arena arena = Arena.ofConfined()) {
      MemorySegment content = arena.allocate(CHUNK_BYTES);
      for (int root = 0; root < ROOTS; root++) {
        BenchEngine holder = root % 2 == 0 ? one : two;
        for (int branch = 0; branch < BRANCHES; branch++) {
          holder.store(prefix(root, branch), branch == 0 ? 0 : SHARED_CHUNKS, content);
        }
        if (root % 125 == 124) {
          progress.printf(
              "bench: %,d of %,d prefixes stored%n", (root + 1) * BRANCHES, ROOTS * BRANCHES);
        }
      }
    }
  }

  private static List<BenchResult> measure(BenchEngine reader, UdpRing ring, PrintStream progress)
      throws IOException {
    int[] order =
        new SplittableRandom(SEED)
            .ints(0, ROOTS * BRANCHES)
            .distinct()
            .limit(ROOTS * BRANCHES)
            .toArray();
    progress.printf("bench: lookups in random order, seed %d%n", SEED);
    double[] micros = new double[order.length];
    double[] ringMicros = new double[order.length];
    int found = 0;
    int partial = 0;
    for (int i = -WARM_UP; i < order.length; i++) {
      int number = order[Math.floorMod(i, order.length)];
      BenchPrefix prefix = prefix(number / BRANCHES, number % BRANCHES);
      long startNs = System.nanoTime();
      LookupResult result = reader.lookup(prefix);
      long durationNs = System.nanoTime() - startNs;
      long ringNs = ring.lapNs();
      if (i >= 0) {
        micros[i] = durationNs / 1e3;
        ringMicros[i] = ringNs / 1e3;
        if (result.local() != 0) {
          throw new IllegalStateException("KVA-0666 a chunk was local - local=" + result.local());
        }
        found += result.found() == PREFIX_CHUNKS ? 1 : 0;
        partial += result.partial() ? 1 : 0;
      }
    }
    progress.printf(
        "bench: %,d of %,d prefixes found whole, %,d lookups without an answer of the index%n",
        found, order.length, partial);
    return List.of(
        BenchResult.latency("lookup", CHUNK_BYTES, PREFIX_CHUNKS, micros),
        BenchResult.latency("udp-ring", CHUNK_BYTES, 1, ringMicros));
  }

  private static BenchPrefix prefix(int root, int branch) {
    return BenchPrefix.of(root, branch, SHARED_CHUNKS, PREFIX_CHUNKS);
  }
}
