package io.kvasir.node.store;

import io.kvasir.placement.ChunkKey;
import io.kvasir.placement.EvictionPolicy;
import java.util.Arrays;
import java.util.BitSet;

/**
 * The slots and what hangs on them: record, extent, index entry, directory entry, pins, place in
 * the eviction order. Each method keeps all of these in step. Not thread-safe: node agent only.
 */
final class Slots {
  private static final int NO_BLOCK = ExtentAllocator.NONE;

  final StoreConfig config;
  final Slab slab;
  final SlotTable table;
  final KeyIndex index;
  final Directory directory;
  final ExtentAllocator extents;
  final EvictionPolicy policy;

  /** Pins of all owners and of the store itself, by slot. */
  final int[] pins;

  /** Adopted from an earlier run, or doubted, and not verified since. */
  final BitSet unverified = new BitSet();

  /** To be verified as soon as nobody pins them: a chunk in use keeps its pins. */
  private final BitSet doubted = new BitSet();

  private final int[] blocks; // by slot
  private final int[] freeSlots; // a stack
  private int freeCount;
  private int committed;
  private int quarantined;
  private long payloadBytes;

  Slots(
      StoreConfig config,
      Slab slab,
      SlotTable table,
      KeyIndex index,
      Directory directory,
      ExtentAllocator extents,
      EvictionPolicy policy) {
    this.config = config;
    this.slab = slab;
    this.table = table;
    this.index = index;
    this.directory = directory;
    this.extents = extents;
    this.policy = policy;
    this.pins = new int[table.slots()];
    this.blocks = new int[table.slots()];
    this.freeSlots = new int[table.slots()];
    Arrays.fill(blocks, NO_BLOCK);
  }

  /** Takes over a slot as an earlier run left it: COMMITTED or QUARANTINED. */
  void adopt(int slot, int block) {
    blocks[slot] = block;
    payloadBytes += table.lengthBytes(slot);
    if (table.state(slot) == SlotState.COMMITTED) {
      committed++;
      unverified.set(slot);
      policy.onInsert(slot, table.key(slot));
    } else {
      quarantined++;
    }
  }

  /** After {@link #adopt}: every FREE record becomes a free slot, the lowest first. */
  void collectFree() {
    for (int slot = table.slots() - 1; slot >= 0; slot--) {
      if (table.state(slot) == SlotState.FREE) {
        freeSlots[freeCount++] = slot;
      }
    }
    if (config.poisonFreedSlots()) {
      extents.forEachFree(slab::poison);
    }
  }

  boolean hasFreeSlot() {
    return freeCount > 0;
  }

  /** Whether a slot and an extent of this size are free now. */
  boolean hasRoom(int granules) {
    return freeCount > 0 && extents.fits(granules);
  }

  /** Makes a RESERVED slot; {@link #hasRoom} must hold. */
  int reserve(
      Owner owner,
      ChunkKey key,
      long group,
      int namespaceId,
      int epoch,
      int lengthBytes,
      boolean nodeWrites) {
    int slot = freeSlots[--freeCount];
    int block = extents.allocate(ExtentAllocator.granules(lengthBytes), slot);
    Invariant.check(block != ExtentAllocator.NONE, "room was checked before reserving", slot);
    blocks[slot] = block;
    table.describe(slot, key, group, namespaceId, epoch, lengthBytes, extents.offsetBytes(block));
    table.owner(slot, owner.pid(), owner.startTimeMillis(), owner.instance(), nodeWrites);
    table.state(slot, SlotState.RESERVED);
    index.add(slot);
    payloadBytes += lengthBytes;
    return slot;
  }

  /**
   * To COMMITTED: record, then directory, then the commit word.
   *
   * @throws RuntimeException from the directory if it has no room; the slot's state is unchanged
   *     then
   */
  void commit(int slot, long version, int crc32c) {
    table.seal(slot, version, crc32c);
    directory.put(table, slot);
    table.state(slot, SlotState.COMMITTED);
    committed++;
    policy.onInsert(slot, table.key(slot));
  }

  /** The bytes of a committed slot may be wrong; the next pin verifies them first. */
  void doubt(int slot) {
    (pins[slot] == 0 ? unverified : doubted).set(slot);
  }

  /** Takes pins off a slot. */
  void unpin(int slot, int count) {
    pins[slot] -= count;
    if (pins[slot] == 0 && doubted.get(slot)) {
      doubted.clear(slot);
      unverified.set(slot);
    }
  }

  /** Gives up a committed slot nobody pins. */
  void remove(int slot) {
    Invariant.check(pins[slot] == 0, "a pinned slot is not removed", slot);
    policy.onRemove(slot);
    directory.remove(table.key(slot));
    index.remove(slot);
    unverified.clear(slot);
    doubted.clear(slot);
    committed--;
    free(slot);
  }

  /** Gives up a RESERVED or CHECKSUMMING slot that nobody writes to any more. */
  void abandon(int slot) {
    index.remove(slot);
    free(slot);
  }

  /** RESERVED to QUARANTINED: the key is free for others, the extent is not. */
  void quarantine(int slot) {
    index.remove(slot);
    table.state(slot, SlotState.QUARANTINED);
    quarantined++;
  }

  void endQuarantine(int slot) {
    quarantined--;
    free(slot);
  }

  private void free(int slot) {
    table.state(slot, SlotState.FREE);
    int block = blocks[slot];
    if (config.poisonFreedSlots()) {
      slab.poison(extents.offsetBytes(block), extents.granulesOf(block));
    }
    payloadBytes -= table.lengthBytes(slot);
    blocks[slot] = NO_BLOCK;
    extents.free(block);
    freeSlots[freeCount++] = slot;
  }

  boolean isEvictable(int slot) {
    return pins[slot] == 0 && table.state(slot) == SlotState.COMMITTED;
  }

  int block(int slot) {
    return blocks[slot];
  }

  /** Bytes of slab that the slot takes. */
  int extentBytes(int slot) {
    return extents.granulesOf(blocks[slot]) * ExtentAllocator.GRANULE_BYTES;
  }

  int committed() {
    return committed;
  }

  int quarantined() {
    return quarantined;
  }

  /** Slots that are not FREE. */
  int used() {
    return table.slots() - freeCount;
  }

  long usedBytes() {
    return config.slabBytes() - extents.freeBytes();
  }

  long payloadBytes() {
    return payloadBytes;
  }

  /** The stack of free slots, for the oracle. */
  int freeSlot(int i) {
    return freeSlots[i];
  }

  int freeCount() {
    return freeCount;
  }
}
