package io.kvasir.node.store;

import io.kvasir.placement.ChunkKey;
import java.util.Arrays;

/**
 * Finds the slot of a chunk key: an open-addressing table of slot numbers over the keys in the slot
 * table, at most half full, linear probing, deletion by backward shift (Knuth, The Art of Computer
 * Programming 3, 6.4, algorithm R). 8 to 16 bytes of heap per slot, no allocation after
 * construction.
 *
 * <p>It holds every slot that is RESERVED, CHECKSUMMING or COMMITTED, and is rebuilt at open. Not
 * thread-safe.
 */
final class KeyIndex {
  private static final int EMPTY = -1;

  private final SlotTable table;
  private final int[] cells;
  private final int mask;
  private int size;

  KeyIndex(SlotTable table) {
    this.table = table;
    int capacity = Integer.highestOneBit(Math.max(4, 2 * table.slots() - 1)) << 1;
    this.cells = new int[capacity];
    this.mask = capacity - 1;
    Arrays.fill(cells, EMPTY);
  }

  /** Keys are SHA-256 outputs: any word of theirs is a hash. Not the first: groups share it. */
  static int hash(long keyWord1) {
    return (int) (keyWord1 >>> 32);
  }

  int size() {
    return size;
  }

  /** The slot with this key, or {@link StoreCodes#NOT_FOUND}. */
  int find(ChunkKey key) {
    for (int cell = hash(key.w1()) & mask; cells[cell] != EMPTY; cell = (cell + 1) & mask) {
      if (table.hasKey(cells[cell], key)) {
        return cells[cell];
      }
    }
    return StoreCodes.NOT_FOUND;
  }

  /** Adds a slot whose record has its key; the key must not be present. */
  void add(int slot) {
    int cell = table.keyHash(slot) & mask;
    while (cells[cell] != EMPTY) {
      cell = (cell + 1) & mask;
    }
    cells[cell] = slot;
    size++;
  }

  /** Removes a slot that is present, while its record still has its key. */
  void remove(int slot) {
    int hole = table.keyHash(slot) & mask;
    while (cells[hole] != slot) {
      if (cells[hole] == EMPTY) {
        throw new IllegalStateException(
            "KVA-0290 slot is not in the key index - slot=" + slot + "; report this as a bug");
      }
      hole = (hole + 1) & mask;
    }
    for (int next = (hole + 1) & mask; cells[next] != EMPTY; next = (next + 1) & mask) {
      int home = table.keyHash(cells[next]) & mask;
      // The entry may fill the hole unless its home lies between the hole and where it is now.
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        cells[hole] = cells[next];
        hole = next;
      }
    }
    cells[hole] = EMPTY;
    size--;
  }
}
