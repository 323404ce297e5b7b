package io.kvasir.node.store;

import java.util.Arrays;

/**
 * Takes over the slots of an earlier run by the rules of docs/spec/files.md: committed chunks stay,
 * half-written ones vanish, slots that a living process may still write to are quarantined.
 * Afterwards the directory says what the slot table says.
 */
final class Adoption {
  private final Slots slots;
  private final SlotTable table;
  private final HostIdentity host;
  private final StoreCounters counters;

  Adoption(Slots slots, HostIdentity host, StoreCounters counters) {
    this.slots = slots;
    this.table = slots.table;
    this.host = host;
    this.counters = counters;
  }

  void run() {
    adoptRecords();
    repairDirectory();
  }

  /** Keeps committed and still endangered slots, frees all others, and places their extents. */
  private void adoptRecords() {
    long[] kept = new long[table.slots()]; // first granule, then slot: sorts by place
    int count = 0;
    for (int slot = 0; slot < table.slots(); slot++) {
      if (keep(slot)) {
        kept[count++] = ((table.offset(slot) / ExtentAllocator.GRANULE_BYTES) << 32) | slot;
      }
    }
    Arrays.sort(kept, 0, count);
    int segment = -1;
    int hint = ExtentAllocator.NONE;
    for (int i = 0; i < count; i++) {
      int slot = (int) kept[i];
      int firstGranule = (int) (kept[i] >>> 32);
      int ownSegment = slots.slab.segmentOf(table.offset(slot));
      if (ownSegment != segment) {
        segment = ownSegment;
        hint = slots.extents.firstBlock(segment);
      }
      boolean committed = table.state(slot) == SlotState.COMMITTED;
      int block =
          committed && slots.index.find(table.key(slot)) >= 0
              ? ExtentAllocator.NONE
              : slots.extents.allocateAt(
                  firstGranule, ExtentAllocator.granules(table.lengthBytes(slot)), slot, hint);
      if (block == ExtentAllocator.NONE) {
        counters.damagedRecords++;
        table.wipe(slot);
        continue;
      }
      hint = block;
      if (committed) {
        counters.adoptedChunks++;
        slots.index.add(slot);
      } else {
        counters.quarantinedAtOpen++;
      }
      slots.adopt(slot, block);
    }
  }

  /**
   * Decides about one record; frees it unless it is committed, or endangered by a living writer.
   */
  private boolean keep(int slot) {
    if (!SlotState.isCode(table.stateCode(slot)) || !hasPlace(slot)) {
      if (table.stateCode(slot) != SlotState.FREE.code()) {
        counters.damagedRecords++;
        table.wipe(slot);
      }
      return false;
    }
    return switch (table.state(slot)) {
      case FREE -> false;
      case COMMITTED -> {
        if (table.isSealed(slot)) {
          yield true;
        }
        counters.damagedRecords++;
        table.wipe(slot);
        yield false;
      }
      case RESERVED, QUARANTINED -> {
        boolean endangered =
            !table.nodeWrites(slot)
                && host.isAlive(table.ownerPid(slot), table.ownerStartMillis(slot));
        if (endangered && table.state(slot) == SlotState.RESERVED) {
          table.state(slot, SlotState.QUARANTINED);
        } else if (!endangered) {
          counters.vanishedReservations++;
          table.wipe(slot);
        }
        yield endangered;
      }
      case CHECKSUMMING -> {
        // Its writer had finished, so nobody writes any more; the commit was never acknowledged.
        counters.vanishedReservations++;
        table.wipe(slot);
        yield false;
      }
    };
  }

  /** Whether length and offset name an extent inside one segment. */
  private boolean hasPlace(int slot) {
    StoreConfig config = slots.config;
    long offset = table.offset(slot);
    int length = table.lengthBytes(slot);
    if (length <= 0 || offset < 0 || offset >= config.slabBytes()) {
      return false;
    }
    int segment = (int) (offset / config.segmentBytes());
    return offset % ExtentAllocator.GRANULE_BYTES == 0
        && offset % config.segmentBytes() + length <= config.segmentBytes(segment);
  }

  /** Makes the directory say exactly what the committed records say. */
  private void repairDirectory() {
    for (int slot = 0; slot < slots.table.slots(); slot++) {
      if (slots.table.state(slot) == SlotState.COMMITTED
          && !slots.directory.matches(slots.table, slot)) {
        slots.directory.put(slots.table, slot);
        counters.directoryRepairs++;
      }
    }
    if (slots.directory.entries() != slots.committed()) {
      counters.directoryRepairs += slots.directory.removeUnknown(slots.index);
    }
  }
}
