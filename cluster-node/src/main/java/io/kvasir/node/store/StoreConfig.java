package io.kvasir.node.store;

import io.kvasir.placement.EvictionPolicies;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Limits and places of one store; fixed while it is open.
 *
 * @param slabDirectory segment files, slot table, directory; usually in {@code /dev/shm}
 * @param runDirectory the node's run directory, locked while the store is open
 * @param slabBytes size of the slab; a multiple of 4 KiB
 * @param segmentBytes largest segment file; a multiple of 4 KiB, at most 1 GiB
 * @param maxChunks hard limit of slots and directory entries
 * @param ownerShare part of the slab that the pins and reservations of one owner may hold, in (0,
 *     1]
 * @param evictionPolicy a name that {@link EvictionPolicies} knows
 * @param highWatermark part of the slab above which chunks are evicted in the background, in (0,
 *     1]; 1 turns it off
 * @param lowWatermark where background eviction stops, in (0, highWatermark]
 * @param checksumThreads worker threads, 1 to 16
 * @param quarantineGrace how long slots of a closed owner stay unusable
 * @param poisonFreedSlots overwrite freed extents with {@code 0xDE} (tests)
 */
public record StoreConfig(
    Path slabDirectory,
    Path runDirectory,
    long slabBytes,
    long segmentBytes,
    int maxChunks,
    double ownerShare,
    String evictionPolicy,
    double highWatermark,
    double lowWatermark,
    int checksumThreads,
    Duration quarantineGrace,
    boolean poisonFreedSlots) {
  /** File in the run directory that is locked while a store is open. */
  public static final String RUN_LOCK_FILE = "node.lock";

  /** File in the slab directory that is locked while a store is open. */
  public static final String SLAB_LOCK_FILE = "slab.lock";

  static final long SEGMENT_BYTES_MAX = 1L << 30;
  static final int MAX_CHUNKS_MAX = 1 << 27;

  /** Checks every field and reports all problems at once. */
  public StoreConfig {
    List<String> problems = new ArrayList<>();
    if (slabBytes <= 0 || slabBytes % ExtentAllocator.GRANULE_BYTES != 0) {
      problems.add("slabBytes=" + slabBytes + " must be a positive multiple of 4 KiB");
    }
    if (slabBytes / ExtentAllocator.GRANULE_BYTES > Integer.MAX_VALUE) {
      problems.add("slabBytes=" + slabBytes + " must be below 8 TiB");
    }
    if (segmentBytes <= 0
        || segmentBytes > SEGMENT_BYTES_MAX
        || segmentBytes % ExtentAllocator.GRANULE_BYTES != 0) {
      problems.add("segmentBytes=" + segmentBytes + " must be a multiple of 4 KiB up to 1 GiB");
    }
    if (maxChunks <= 0 || maxChunks > MAX_CHUNKS_MAX) {
      problems.add("maxChunks=" + maxChunks + " must be 1 to " + MAX_CHUNKS_MAX);
    }
    if (!(ownerShare > 0 && ownerShare <= 1)) {
      problems.add("ownerShare=" + ownerShare + " must be in (0, 1]");
    }
    if (!(highWatermark > 0 && highWatermark <= 1)) {
      problems.add("highWatermark=" + highWatermark + " must be in (0, 1]");
    }
    if (!(lowWatermark > 0 && lowWatermark <= highWatermark)) {
      problems.add("lowWatermark=" + lowWatermark + " must be in (0, highWatermark]");
    }
    if (checksumThreads < 1 || checksumThreads > 16) {
      problems.add("checksumThreads=" + checksumThreads + " must be 1 to 16");
    }
    if (quarantineGrace.isNegative() || quarantineGrace.compareTo(Duration.ofDays(1)) > 0) {
      problems.add("quarantineGrace=" + quarantineGrace + " must be 0 to 1 day");
    }
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          "KVA-0201 store configuration rejected - "
              + String.join("; ", problems)
              + "; correct these values");
    }
  }

  /** The largest number of bytes that one owner's pins and reservations may hold. */
  long ownerShareBytes() {
    return (long) (ownerShare * slabBytes);
  }

  /** Number of segment files. */
  int segmentCount() {
    return Math.toIntExact((slabBytes + segmentBytes - 1) / segmentBytes);
  }

  /** Length of one segment file; only the last one may be shorter. */
  long segmentBytes(int segment) {
    return Math.min(segmentBytes, slabBytes - segment * segmentBytes);
  }
}
