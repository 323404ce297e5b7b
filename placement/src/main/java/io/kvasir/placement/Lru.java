package io.kvasir.placement;

import java.util.function.IntPredicate;

/** Evicts the least recently used slot. 9 bytes per slot. */
public final class Lru implements EvictionPolicy {
  private static final int QUEUE = 0;

  private final SlotQueues queues;

  /**
   * Makes an empty policy.
   *
   * @param maxSlots slots of the store, at least 1
   * @throws IllegalArgumentException if {@code maxSlots} is out of range
   */
  public Lru(int maxSlots) {
    queues = new SlotQueues(maxSlots, 1);
  }

  @Override
  public void onInsert(int slot, ChunkKey key) {
    queues.addYoungest(QUEUE, slot);
  }

  @Override
  public void onAccess(int slot) {
    queues.moveToYoungest(slot);
  }

  @Override
  public void onRemove(int slot) {
    queues.remove(slot);
  }

  @Override
  public int victim(IntPredicate evictable) {
    int sentinel = queues.sentinel(QUEUE);
    int lastRefused = sentinel;
    int candidate = queues.younger(sentinel);
    while (candidate != sentinel && !evictable.test(candidate)) {
      lastRefused = candidate;
      candidate = queues.younger(candidate);
    }
    queues.moveOldestToYoungest(QUEUE, lastRefused);
    return candidate == sentinel ? NONE : candidate;
  }
}
