package io.kvasir.benchmarks;

import io.kvasir.benchmarks.reference.PrefaultedFile;
import io.kvasir.connectors.client.Acquisition;
import io.kvasir.connectors.client.LoadedChunk;
import io.kvasir.node.local.LocalCluster;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code bench load}: chunks that are present and verified, through the engine socket. {@code
 * load-pinned} is ACQUIRE to READY of one chunk; {@code load-copy} copies a run of chunks out of
 * the slab, against the same bytes copied by memcpy from a file like it.
 */
public final class LoadBench {
  private static final int MIB = 1 << 20;
  private static final int[] CHUNK_BYTES = {MIB, 4 * MIB, 16 * MIB, 32 * MIB, 64 * MIB};

  /** One run: larger than any cache of the processor. */
  private static final int RUN_BYTES = 128 * MIB;

  private static final int PINNED_WARM_UP = 20_000;
  private static final int PINNED_MEASURED = 5_000;

  private LoadBench() {}

  /** Runs the benchmark; its files live under {@code directory}, which is in shared memory. */
  public static BenchReport run(Path directory, PrintStream progress) throws IOException {
    List<BenchResult> rows = new ArrayList<>();
    try (LocalCluster cluster =
            LocalCluster.builder()
                .nodes(1)
                .slabDirectory(directory)
                .slabBytes(8L * RUN_BYTES)
                .start();
        PrefaultedFile source =
            new PrefaultedFile(directory.resolve("memcpy-source"), RUN_BYTES, 7);
        PrefaultedFile target =
            new PrefaultedFile(directory.resolve("copy-target"), RUN_BYTES, 1)) {
      for (int chunkBytes : CHUNK_BYTES) {
        try (BenchEngine engine = new BenchEngine(cluster.node(0).engineSocket(), chunkBytes)) {
          rows.add(pinned(engine, chunkBytes, source.memory()));
          rows.add(copied(engine, chunkBytes, source.memory(), target.memory()));
          progress.printf("bench: chunks of %d MiB measured%n", chunkBytes / MIB);
        }
      }
    }
    return new BenchReport(BenchReport.Machine.current(), rows);
  }

  private static BenchResult pinned(BenchEngine engine, int chunkBytes, MemorySegment content) {
    BenchPrefix prefix = BenchPrefix.of(chunkBytes, 1, 0, 1);
    engine.store(prefix, 0, content);
    double[] micros = new double[PINNED_MEASURED];
    for (int i = -PINNED_WARM_UP; i < PINNED_MEASURED; i++) {
      long startNs = System.nanoTime();
      Acquisition acquisition = engine.acquire(prefix);
      LoadedChunk chunk = acquisition.next();
      long durationNs = System.nanoTime() - startNs;
      if (chunk == null) {
        throw new IllegalStateException(
            "KVA-0664 a present chunk was not ready - end=" + acquisition.endReason());
      }
      engine.release(acquisition);
      if (i >= 0) {
        micros[i] = durationNs / 1e3;
      }
    }
    return BenchResult.latency("load-pinned", chunkBytes, 1, micros);
  }

  private static BenchResult copied(
      BenchEngine engine, int chunkBytes, MemorySegment source, MemorySegment target) {
    int chunks = RUN_BYTES / chunkBytes;
    BenchPrefix prefix = BenchPrefix.of(chunkBytes, 2, 0, chunks);
    engine.store(prefix, 0, source);
    double[] ours = new double[Rounds.MEASURED];
    double[] memcpy = new double[Rounds.MEASURED];
    for (int round = -Rounds.WARM_UP; round < Rounds.MEASURED; round++) {
      boolean oursFirst = round % 2 == 0;
      double first =
          oursFirst ? load(engine, prefix, chunkBytes, target) : copy(source, target, chunkBytes);
      double second =
          oursFirst ? copy(source, target, chunkBytes) : load(engine, prefix, chunkBytes, target);
      if (round >= 0) {
        ours[round] = oursFirst ? first : second;
        memcpy[round] = oursFirst ? second : first;
      }
    }
    return BenchResult.throughput("load-copy", chunkBytes, chunks, ours, "memcpy", memcpy);
  }

  private static double load(
      BenchEngine engine, BenchPrefix prefix, int chunkBytes, MemorySegment target) {
    long startNs = System.nanoTime();
    Acquisition acquisition = engine.acquire(prefix);
    long copiedBytes = 0;
    for (LoadedChunk chunk = acquisition.next(); chunk != null; chunk = acquisition.next()) {
      MemorySegment.copy(chunk.memory(), 0, target, (long) chunk.index() * chunkBytes, chunkBytes);
      copiedBytes += chunkBytes;
    }
    engine.release(acquisition);
    double gigabytesPerSecond = copiedBytes / (double) (System.nanoTime() - startNs);
    if (copiedBytes != RUN_BYTES) {
      throw new IllegalStateException(
          "KVA-0665 the run is not complete - copiedBytes=" + copiedBytes);
    }
    return gigabytesPerSecond;
  }

  private static double copy(MemorySegment source, MemorySegment target, int chunkBytes) {
    long startNs = System.nanoTime();
    for (long at = 0; at < RUN_BYTES; at += chunkBytes) {
      MemorySegment.copy(source, at, target, at, chunkBytes);
    }
    return RUN_BYTES / (double) (System.nanoTime() - startNs);
  }
}
