package io.kvasir.placement;

import java.util.Arrays;
import java.util.Objects;

/**
 * A few doubly linked queues of slots in two int arrays; a slot is in one queue at most. Each queue
 * is a ring through a sentinel cell behind the slots, so that no operation has a special case at
 * the ends: {@code younger(sentinel)} is the oldest slot. All operations take constant time and
 * allocate nothing.
 */
final class SlotQueues {
  private static final byte NO_QUEUE = -1;

  private final int maxSlots;
  private final int[] older;
  private final int[] younger;
  private final byte[] queueOf;
  private final int[] sizes;

  SlotQueues(int maxSlots, int queues) {
    if (maxSlots < 1 || maxSlots > Integer.MAX_VALUE / 8) {
      throw new IllegalArgumentException(
          "KVA-0814 eviction policy not made - maxSlots="
              + maxSlots
              + " (limit=1.."
              + Integer.MAX_VALUE / 8
              + "); correct the number of chunks of the store");
    }
    this.maxSlots = maxSlots;
    this.older = new int[maxSlots + queues];
    this.younger = new int[maxSlots + queues];
    this.queueOf = new byte[maxSlots];
    this.sizes = new int[queues];
    Arrays.fill(queueOf, NO_QUEUE);
    for (int queue = 0; queue < queues; queue++) {
      link(sentinel(queue), sentinel(queue));
    }
  }

  /** The cell before the oldest and behind the youngest slot of the queue. */
  int sentinel(int queue) {
    return maxSlots + queue;
  }

  /** The next younger slot of the same queue, or its sentinel. */
  int younger(int cell) {
    return younger[cell];
  }

  int size(int queue) {
    return sizes[queue];
  }

  /** The queue of a slot that is present. */
  int queueOf(int slot) {
    requirePresent(slot);
    return queueOf[slot];
  }

  void addYoungest(int queue, int slot) {
    Objects.checkIndex(slot, maxSlots);
    if (queueOf[slot] != NO_QUEUE) {
      throw new IllegalStateException(
          "KVA-0815 slot not inserted - slot=" + slot + "; it is present, remove it first");
    }
    append(queue, slot, slot);
    queueOf[slot] = (byte) queue;
    sizes[queue]++;
  }

  void remove(int slot) {
    requirePresent(slot);
    link(older[slot], younger[slot]);
    sizes[queueOf[slot]]--;
    queueOf[slot] = NO_QUEUE;
  }

  void moveToYoungest(int slot) {
    requirePresent(slot);
    link(older[slot], younger[slot]);
    append(queueOf[slot], slot, slot);
  }

  /** Moves the oldest slots up to and with {@code last}, in their order, to the young end. */
  void moveOldestToYoungest(int queue, int last) {
    int sentinel = sentinel(queue);
    if (last == sentinel || younger[last] == sentinel) {
      return; // none of the slots, or all of them
    }
    int first = younger[sentinel];
    link(sentinel, younger[last]);
    append(queue, first, last);
  }

  /** Links the run {@code first .. last} behind the youngest slot. */
  private void append(int queue, int first, int last) {
    int sentinel = sentinel(queue);
    link(older[sentinel], first);
    link(last, sentinel);
  }

  private void link(int olderCell, int youngerCell) {
    younger[olderCell] = youngerCell;
    older[youngerCell] = olderCell;
  }

  private void requirePresent(int slot) {
    Objects.checkIndex(slot, maxSlots);
    if (queueOf[slot] == NO_QUEUE) {
      throw new IllegalStateException(
          "KVA-0816 slot unknown - slot=" + slot + "; insert it before it is used or removed");
    }
  }
}
