package io.kvasir.node.store;

/**
 * Room that the files of a store take in the slab directory, all of it from the start.
 *
 * @param slabBytes all segments
 * @param slotTableBytes {@code slots.kv}
 * @param directoryBytes upper bound of {@code directory.kv}
 */
public record StoreFootprint(long slabBytes, long slotTableBytes, long directoryBytes) {
  private static final long DIRECTORY_BYTES_PER_CHUNK = 96;
  private static final long DIRECTORY_BYTES_FIXED = 1 << 20;

  /** The footprint of a slab with a hard limit of {@code maxChunks}. */
  public static StoreFootprint of(long slabBytes, int maxChunks) {
    return new StoreFootprint(
        slabBytes,
        SlotTable.fileBytes(maxChunks),
        DIRECTORY_BYTES_FIXED + DIRECTORY_BYTES_PER_CHUNK * maxChunks);
  }

  /** Everything together. */
  public long sumBytes() {
    return slabBytes + slotTableBytes + directoryBytes;
  }
}
