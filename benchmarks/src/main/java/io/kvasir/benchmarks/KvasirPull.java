package io.kvasir.benchmarks;

import io.kvasir.benchmarks.reference.Reference;
import io.kvasir.connectors.client.Acquisition;
import io.kvasir.connectors.client.LoadedChunk;
import io.kvasir.connectors.protocol.ChunkSource;
import io.kvasir.node.local.LocalCluster;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Our side of {@code bench pull} and {@code bench samehost}: an engine on one node stores fresh
 * chunks, then, measured, an engine on another node acquires them: index, slots, Aeron or a copy,
 * checksum, READY.
 */
final class KvasirPull implements Reference {
  private static final int HOLDER = 0;
  private static final int READER = 1;

  private static final long FOUND_WITHIN_NS = 30_000_000_000L;

  private final String name;
  private final LocalCluster cluster;
  private final MemorySegment content;
  private long round;

  /** The cluster has two nodes with room for some rounds; older rounds are evicted. */
  KvasirPull(String name, LocalCluster cluster, MemorySegment content) {
    this.name = name;
    this.cluster = cluster;
    this.content = content;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public long deliver(int chunkBytes, int chunks) {
    BenchPrefix prefix = BenchPrefix.of(chunkBytes, round++, 0, chunks);
    try (BenchEngine writer = new BenchEngine(cluster.node(HOLDER).engineSocket(), chunkBytes);
        BenchEngine reader = new BenchEngine(cluster.node(READER).engineSocket(), chunkBytes)) {
      writer.store(prefix, 0, content);
      awaitFound(reader, prefix);
      long startNs = System.nanoTime();
      Acquisition acquisition = reader.acquire(prefix);
      int pulled = 0;
      for (LoadedChunk chunk = acquisition.next(); chunk != null; chunk = acquisition.next()) {
        pulled += chunk.source() == ChunkSource.PEER ? 1 : 0;
      }
      long durationNs = System.nanoTime() - startNs;
      if (pulled != chunks) {
        throw new IllegalStateException(
            "KVA-0663 chunks were not pulled - pulled="
                + pulled
                + " expected="
                + chunks
                + " end="
                + acquisition.endReason());
      }
      reader.release(acquisition);
      return durationNs;
    }
  }

  /** A cold ring answers late at first; what is measured is the pull, not that. */
  private static void awaitFound(BenchEngine reader, BenchPrefix prefix) {
    long startNs = System.nanoTime();
    while (reader.lookup(prefix).found() < prefix.chunks()) {
      if (System.nanoTime() - startNs > FOUND_WITHIN_NS) {
        throw new IllegalStateException("KVA-0667 stored chunks are not found (limit=30 s)");
      }
    }
  }

  @Override
  public void close() throws IOException {
    cluster.close();
  }
}
