package io.kvasir.cli.replay;

import io.kvasir.node.config.ByteSize;
import java.io.IOException;
import java.nio.file.Files;

/**
 * How large the slabs must be.
 *
 * @param slabBytes per node
 * @param chunksMax directory entries per node
 */
record SlabPlan(long slabBytes, int chunksMax) {
  /** Slots begin at multiples of this. */
  private static final long GRANULE_BYTES = 4_096;

  private static final long SLAB_BYTES_MIN = 64L << 20;

  private static final long ROUND_BYTES = 1L << 20;

  /** Free room, so that the high watermark is never reached: nothing must be evicted. */
  private static final double HEADROOM = 1.25;

  /**
   * Sizes the slabs so that each node can keep every block it will ever see, or takes the capacity
   * asked for.
   *
   * @throws IOException if the folder cannot hold the sum
   */
  static SlabPlan of(Trace trace, ReplayOptions options) throws IOException {
    long slotBytes = (options.chunkBytes() + GRANULE_BYTES - 1) / GRANULE_BYTES * GRANULE_BYTES;
    int blocks = 0;
    for (int node = 0; node < options.nodes(); node++) {
      // After a kill the others serve its requests too, so then each may see every block.
      blocks =
          Math.max(
              blocks,
              options.killNode() == null
                  ? trace.distinctBlocks(node, options.nodes())
                  : trace.distinctBlocks(0, 1));
    }
    Long capacity = options.capacityBytes();
    long slabBytes =
        capacity != null
            ? capacity
            : Math.max(SLAB_BYTES_MIN, roundUp((long) (blocks * slotBytes * HEADROOM)));
    requireRoomForAChunk(slabBytes, slotBytes);
    long sum = Math.multiplyExact(slabBytes, options.nodes());
    long usable = Files.getFileStore(options.slabDirectory()).getUsableSpace();
    if (sum > usable) {
      throw new IOException(
          "KVA-0614 slabs do not fit - nodes="
              + options.nodes()
              + " slabBytes="
              + ByteSize.format(slabBytes)
              + " sum="
              + ByteSize.format(sum)
              + " slabDir="
              + options.slabDirectory()
              + " (limit="
              + ByteSize.format(usable)
              + "); name a --capacity, a smaller --bytes-per-token or --limit, or another"
              + " --slab-dir");
    }
    int chunksMax =
        (int) Math.min(slabBytes / slotBytes + 1_024, (long) (blocks * HEADROOM) + 1_024);
    return new SlabPlan(slabBytes, chunksMax);
  }

  /** An engine may hold half of a slab, and there is a smallest slab. */
  private static void requireRoomForAChunk(long slabBytes, long slotBytes) throws IOException {
    long least = Math.max(ROUND_BYTES, 2 * slotBytes);
    if (slabBytes < least) {
      throw new IOException(
          "KVA-0617 capacity holds no chunk - capacity="
              + ByteSize.format(slabBytes)
              + " chunk="
              + ByteSize.format(slotBytes)
              + " (limit="
              + ByteSize.format(least)
              + "); give a larger --capacity or a smaller --bytes-per-token");
    }
  }

  private static long roundUp(long bytes) {
    return (bytes + ROUND_BYTES - 1) / ROUND_BYTES * ROUND_BYTES;
  }
}
