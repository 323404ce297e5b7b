package io.kvasir.node.store;

import java.util.function.IntPredicate;

/**
 * Makes room: in the background between the watermarks, and at once for a reservation that does not
 * fit. Victims come from the eviction policy; pinned and unfinished slots are never touched.
 *
 * <p>When enough bytes are free but scattered, the coldest victim's neighbours go with it until one
 * extent fits: freeing more of the coldest chunks would only scatter more room.
 */
final class Evictor {
  private static final int BACKGROUND_EVICTIONS_MAX = 16;
  private static final int EVICTIONS_PER_CALL_MAX = 1024;
  private static final int BLOCKED_RUNS_MAX = 16;

  private final Slots slots;
  private final StoreCounters counters;
  private final Removal removal;
  private final IntPredicate evictable; // fields: capturing in the methods would allocate
  private final int[] run = new int[EVICTIONS_PER_CALL_MAX];
  private final long highBytes;
  private final long lowBytes;
  private final int highSlots;
  private final int lowSlots;
  private boolean aboveLow;

  Evictor(Slots slots, StoreCounters counters, Removal removal) {
    this.slots = slots;
    this.counters = counters;
    this.removal = removal;
    this.evictable = slots::isEvictable;
    StoreConfig config = slots.config;
    this.highBytes = (long) (config.highWatermark() * config.slabBytes());
    this.lowBytes = (long) (config.lowWatermark() * config.slabBytes());
    this.highSlots = (int) (config.highWatermark() * config.maxChunks());
    this.lowSlots = (int) (config.lowWatermark() * config.maxChunks());
  }

  /** One bounded step from above the high watermark down to the low one; returns evictions. */
  int background() {
    if (!aboveLow && slots.usedBytes() <= highBytes && slots.used() <= highSlots) {
      return 0;
    }
    int evicted = 0;
    aboveLow = true;
    while (evicted < BACKGROUND_EVICTIONS_MAX) {
      if (slots.usedBytes() <= lowBytes && slots.used() <= lowSlots) {
        aboveLow = false;
        break;
      }
      int victim = slots.policy.victim(evictable);
      if (victim < 0) {
        aboveLow = false;
        break;
      }
      evict(victim);
      evicted++;
    }
    return evicted;
  }

  /** Evicts until a slot and an extent of {@code granules} are free; false if that cannot be. */
  boolean makeRoom(int granules) {
    int budget = EVICTIONS_PER_CALL_MAX;
    int blockedRuns = 0;
    while (!slots.hasRoom(granules)) {
      int victim = budget > 0 ? slots.policy.victim(evictable) : ExtentAllocator.NONE;
      if (victim < 0) {
        return false;
      }
      boolean scattered =
          slots.hasFreeSlot()
              && slots.extents.freeBytes() >= (long) granules * ExtentAllocator.GRANULE_BYTES;
      int found = scattered ? findRun(victim, granules, budget) : 0;
      if (scattered && found == 0 && ++blockedRuns > BLOCKED_RUNS_MAX) {
        return false;
      }
      for (int i = 0; i < found; i++) {
        if (run[i] != victim) {
          counters.neighbourEvictions++;
        }
        evict(run[i]);
      }
      if (found == 0) {
        evict(victim);
      }
      budget -= Math.max(1, found);
    }
    return true;
  }

  private void evict(int slot) {
    counters.evictions++;
    removal.remove(slot, RemovalReason.EVICTED);
  }

  /**
   * Grows a stretch of free and evictable blocks around the victim until it holds {@code granules};
   * puts the slots to evict into {@link #run} and returns how many, 0 if pins or the segment's ends
   * stop it.
   */
  private int findRun(int victim, int granules, int budget) {
    ExtentAllocator extents = slots.extents;
    int leftEnd = slots.block(victim);
    int rightEnd = leftEnd;
    int total = extents.granulesOf(leftEnd);
    int count = 0;
    run[count++] = victim;
    while (total < granules) {
      int right = extents.right(rightEnd);
      int left = extents.left(leftEnd);
      boolean rightOpen = isOpen(right);
      boolean leftOpen = isOpen(left);
      int next;
      if (rightOpen && !(leftOpen && extents.slotOf(left) == ExtentAllocator.NONE)) {
        next = right;
        rightEnd = right;
      } else if (leftOpen) {
        next = left;
        leftEnd = left;
      } else {
        return 0;
      }
      total += extents.granulesOf(next);
      int slot = extents.slotOf(next);
      if (slot != ExtentAllocator.NONE) {
        if (count == budget) {
          return 0;
        }
        run[count++] = slot;
      }
    }
    return count;
  }

  private boolean isOpen(int block) {
    if (block == ExtentAllocator.NONE) {
      return false;
    }
    int slot = slots.extents.slotOf(block);
    return slot == ExtentAllocator.NONE || slots.isEvictable(slot);
  }
}
