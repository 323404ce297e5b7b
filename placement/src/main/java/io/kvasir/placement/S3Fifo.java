package io.kvasir.placement;

import java.util.function.IntPredicate;

/**
 * S3-FIFO: a small queue for new slots, a main queue for those that were used while in it, and a
 * ghost queue of keys lately evicted from the small one, whose chunks enter the main queue when
 * they come again. Chunks that are used once leave without disturbing the rest.
 *
 * <p>Source: Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction"
 * (SOSP 2023), algorithm 1. Four choices differ. The small queue's share is a parameter, because
 * prompt prefixes come again late. One use in the small queue is enough to stay: on the FAST'25
 * Mooncake conversation trace (512-token blocks, small share 0.6, room for 15,000 blocks) the token
 * hit rate is 0.277 so and 0.259 with the paper's two uses. Shares count against the slots in use,
 * because the slab's bytes run out before its slots do. Every slot that leaves the small queue
 * becomes a ghost, also when the store removes it without asking, to make room beside a victim.
 *
 * <p>About 40 bytes per slot.
 */
public final class S3Fifo implements EvictionPolicy {
  private static final int SMALL = 0;
  private static final int MAIN = 1;

  /** Two bits per slot, as in the paper. */
  private static final byte USES_MAX = 3;

  /** Ghosts per slot in use: as many as the paper's main queue, which has 90 % of the cache. */
  private static final double GHOST_SHARE = 0.9;

  private final SlotQueues queues;
  private final GhostQueue ghosts;
  private final byte[] uses;
  private final long[] ghostKeys;
  private final double smallShare;

  /**
   * Makes an empty policy.
   *
   * @param maxSlots slots of the store, at least 1
   * @param smallShare share of the small queue in the slots in use, between 0 and 1, both excluded
   * @throws IllegalArgumentException if an argument is out of range
   */
  public S3Fifo(int maxSlots, double smallShare) {
    if (!(smallShare > 0 && smallShare < 1)) {
      throw new IllegalArgumentException(
          "KVA-0817 eviction policy not made - smallShare="
              + smallShare
              + " (limit=above 0, below 1); correct the share of the small queue");
    }
    this.queues = new SlotQueues(maxSlots, 2);
    this.smallShare = smallShare;
    this.ghosts = new GhostQueue(ghostLimit(maxSlots));
    this.uses = new byte[maxSlots];
    this.ghostKeys = new long[maxSlots];
  }

  @Override
  public void onInsert(int slot, ChunkKey key) {
    long ghostKey = key.w1(); // not w0, by which groups are named
    queues.addYoungest(ghosts.take(ghostKey) ? MAIN : SMALL, slot);
    uses[slot] = 0;
    ghostKeys[slot] = ghostKey;
  }

  @Override
  public void onAccess(int slot) {
    queues.queueOf(slot); // throws if the slot is not present
    uses[slot] = (byte) Math.min(USES_MAX, uses[slot] + 1);
  }

  @Override
  public void onRemove(int slot) {
    if (queues.queueOf(slot) == SMALL) {
      ghosts.add(ghostKeys[slot], ghostLimit(inUse()));
    }
    queues.remove(slot);
  }

  @Override
  public int victim(IntPredicate evictable) {
    int smallEnd = queues.sentinel(SMALL);
    int mainEnd = queues.sentinel(MAIN);
    // The walks go from old to young; everything up to these cells was refused.
    int smallRefused = smallEnd;
    int mainRefused = mainEnd;
    int victim = NONE;
    while (victim == NONE) {
      int small = queues.younger(smallRefused);
      int main = queues.younger(mainRefused);
      if (small == smallEnd && main == mainEnd) {
        break;
      }
      boolean fromSmall = small != smallEnd && (main == mainEnd || smallIsOverShare());
      int candidate = fromSmall ? small : main;
      if (fromSmall && uses[candidate] > 0) {
        promote(candidate);
      } else if (!fromSmall && uses[candidate] > 0) {
        uses[candidate]--;
        queues.moveToYoungest(candidate);
      } else if (evictable.test(candidate)) {
        victim = candidate;
      } else if (fromSmall) {
        smallRefused = candidate;
      } else {
        mainRefused = candidate;
      }
    }
    queues.moveOldestToYoungest(SMALL, smallRefused);
    queues.moveOldestToYoungest(MAIN, mainRefused);
    return victim;
  }

  private void promote(int slot) {
    queues.remove(slot);
    queues.addYoungest(MAIN, slot);
    uses[slot] = 0;
  }

  private boolean smallIsOverShare() {
    return queues.size(SMALL) >= smallShare * inUse();
  }

  private int inUse() {
    return queues.size(SMALL) + queues.size(MAIN);
  }

  private static int ghostLimit(int slots) {
    return (int) Math.ceil(GHOST_SHARE * slots);
  }
}
