package io.kvasir.placement;

import java.util.Arrays;

/**
 * Remembers the last evicted keys by 64 bits each: a ring in eviction order and an open-addressing
 * table from key to ring position. A key that is taken leaves a dead cell in the ring, which ages
 * like the others; so the queue remembers the keys of the last {@code limit} evictions. No
 * operation allocates.
 *
 * <p>The table uses linear probing with backward-shift deletion (Knuth, TAOCP vol. 3, 6.4,
 * algorithm R), so that it holds no tombstones however long it lives.
 */
final class GhostQueue {
  private static final int EMPTY = -1;

  private final long[] ring;

  /** Ring index by hash; at most half full. */
  private final int[] table;

  private final int mask;
  private int oldest;
  private int used;

  GhostQueue(int capacity) {
    ring = new long[capacity];
    table = new int[Integer.highestOneBit(2 * capacity - 1) << 1];
    mask = table.length - 1;
    Arrays.fill(table, EMPTY);
  }

  /** Adds a key as the youngest and forgets the oldest beyond {@code limit} cells, at least 1. */
  void add(long key, int limit) {
    take(key);
    while (used > 0 && used >= Math.min(limit, ring.length)) {
      forgetOldest();
    }
    int index = (oldest + used) % ring.length;
    ring[index] = key;
    used++;
    int cell = home(key);
    while (table[cell] != EMPTY) {
      cell = (cell + 1) & mask;
    }
    table[cell] = index;
  }

  /** Forgets the key; true if it was remembered. */
  boolean take(long key) {
    int cell = find(key);
    if (table[cell] == EMPTY) {
      return false;
    }
    delete(cell);
    return true;
  }

  private void forgetOldest() {
    int cell = find(ring[oldest]);
    // Not its own cell: the key was taken, and perhaps added again at a younger index.
    if (table[cell] == oldest) {
      delete(cell);
    }
    oldest = (oldest + 1) % ring.length;
    used--;
  }

  /** The cell that points to the key, or the empty cell at which the search ends. */
  private int find(long key) {
    int cell = home(key);
    while (table[cell] != EMPTY && ring[table[cell]] != key) {
      cell = (cell + 1) & mask;
    }
    return cell;
  }

  private void delete(int cell) {
    int hole = cell;
    int next = (hole + 1) & mask;
    while (table[next] != EMPTY) {
      int distanceFromHome = (next - home(ring[table[next]])) & mask;
      // An entry may move back to the hole if its home does not lie behind the hole.
      if (distanceFromHome >= ((next - hole) & mask)) {
        table[hole] = table[next];
        hole = next;
      }
      next = (next + 1) & mask;
    }
    table[hole] = EMPTY;
  }

  private int home(long key) {
    return (int) key & mask; // keys are SHA-256 bits: any of them will do
  }
}
