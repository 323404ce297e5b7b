package io.kvasir.node.store;

/**
 * A snapshot of the store.
 *
 * @param slabBytes size of the slab
 * @param usedBytes extents that are not free
 * @param payloadBytes bytes of the chunks and reservations inside those extents
 * @param largestFreeBytes the longest free extent
 * @param freeExtents number of free extents
 * @param maxChunks hard limit of slots
 * @param committedChunks visible chunks
 * @param reservedSlots slots being written or checksummed
 * @param quarantinedSlots slots nobody may use yet
 * @param pinnedSlots committed slots with at least one pin
 * @param unverifiedChunks adopted after a restart and not used since
 * @param slotTableBytes length of the slot table file
 * @param directoryBytes length of the directory file
 * @param openMillis how long opening took
 * @param commits chunks committed by engines
 * @param pulledCommits chunks committed from peers
 * @param corruptChunks own chunks whose checksum was wrong at first use
 * @param verifiedChunks chunks verified at first use
 * @param evictions chunks evicted, those of {@code neighbourEvictions} included
 * @param neighbourEvictions chunks evicted because they lay beside a victim
 * @param refusedNoSpace reservations refused for want of room
 * @param refusedOverShare reservations and pins refused because of the owner's share
 * @param refusedTooLarge reservations of chunks that can never fit
 * @param adoptedChunks chunks taken over from the run before
 * @param vanishedReservations half-written slots that were freed at open
 * @param damagedRecords slot records that were dropped at open
 * @param directoryRepairs directory entries that had to be corrected at open
 */
public record StoreStats(
    long slabBytes,
    long usedBytes,
    long payloadBytes,
    long largestFreeBytes,
    int freeExtents,
    int maxChunks,
    int committedChunks,
    int reservedSlots,
    int quarantinedSlots,
    int pinnedSlots,
    int unverifiedChunks,
    long slotTableBytes,
    long directoryBytes,
    long openMillis,
    long commits,
    long pulledCommits,
    long corruptChunks,
    long verifiedChunks,
    long evictions,
    long neighbourEvictions,
    long refusedNoSpace,
    long refusedOverShare,
    long refusedTooLarge,
    long adoptedChunks,
    long vanishedReservations,
    long damagedRecords,
    long directoryRepairs) {

  static StoreStats of(Slots slots, StoreCounters counters, long openNs) {
    int pinned = 0;
    for (int count : slots.pins) {
      pinned += count > 0 ? 1 : 0;
    }
    return new StoreStats(
        slots.config.slabBytes(),
        slots.usedBytes(),
        slots.payloadBytes(),
        slots.extents.largestFreeBytes(),
        slots.extents.freeBlocks(),
        slots.table.slots(),
        slots.committed(),
        slots.used() - slots.committed() - slots.quarantined(),
        slots.quarantined(),
        pinned,
        slots.unverified.cardinality(),
        SlotTable.fileBytes(slots.table.slots()),
        slots.directory.fileBytes(),
        openNs / 1_000_000,
        counters.commits,
        counters.pulledCommits,
        counters.corruptChunks,
        counters.verified,
        counters.evictions,
        counters.neighbourEvictions,
        counters.refusedNoSpace,
        counters.refusedOverShare,
        counters.refusedTooLarge,
        counters.adoptedChunks,
        counters.vanishedReservations,
        counters.damagedRecords,
        counters.directoryRepairs);
  }

  /** Part of the used extents that holds no payload: rounding up to granules. */
  public double internalWaste() {
    return usedBytes == 0 ? 0 : (double) (usedBytes - payloadBytes) / usedBytes;
  }

  /** Part of the free bytes that lies outside the longest free extent. */
  public double externalFragmentation() {
    long freeBytes = slabBytes - usedBytes;
    return freeBytes == 0 ? 0 : 1 - (double) largestFreeBytes / freeBytes;
  }
}
