package io.kvasir.placement;

import static io.kvasir.placement.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EvictionPolicyTest {
  @Test
  void shouldAgreeWithModelWhenOperationsAreRandom() {
    long seed = System.nanoTime();
    System.out.println("EvictionPolicyTest seed=" + seed);
    Random random = new Random(seed);
    for (int round = 0; round < 150; round++) {
      int maxSlots = 1 + random.nextInt(60);
      double smallShare = 0.05 + 0.9 * random.nextDouble();
      String where = "seed=" + seed + " round=" + round;
      compare(new Lru(maxSlots), new LruModel(), maxSlots, random, where + " lru");
      compare(
          new S3Fifo(maxSlots, smallShare),
          new S3FifoModel(smallShare),
          maxSlots,
          random,
          where + " s3fifo");
    }
  }

  private static void compare(
      EvictionPolicy policy, EvictionPolicy model, int maxSlots, Random random, String where) {
    BitSet present = new BitSet(maxSlots);
    BitSet pinned = new BitSet(maxSlots);
    long[] keyOf = new long[maxSlots];
    int keys = 1 + random.nextInt(3 * maxSlots);
    for (int step = 0; step < 2_000; step++) {
      int slot = random.nextInt(maxSlots);
      switch (random.nextInt(8)) {
        case 0, 1, 2 -> {
          long key = random.nextInt(keys);
          if (!present.get(slot) && !holds(present, keyOf, key)) {
            keyOf[slot] = key;
            policy.onInsert(slot, key(key));
            model.onInsert(slot, key(key));
            present.set(slot);
          }
        }
        case 3, 4 -> {
          if (present.get(slot)) {
            policy.onAccess(slot);
            model.onAccess(slot);
          }
        }
        case 5 -> pinned.set(slot, random.nextInt(3) == 0);
        case 6 -> {
          if (present.get(slot) && random.nextInt(4) == 0) {
            policy.onRemove(slot);
            model.onRemove(slot);
            present.clear(slot);
          }
        }
        default -> {
          int victim = policy.victim(s -> !pinned.get(s));
          assertEquals(model.victim(s -> !pinned.get(s)), victim, where + " step=" + step);
          BitSet free = (BitSet) present.clone();
          free.andNot(pinned);
          assertEquals(free.isEmpty(), victim == EvictionPolicy.NONE, where + " step=" + step);
          if (victim != EvictionPolicy.NONE) {
            assertTrue(free.get(victim), where + " step=" + step);
            assertEquals(victim, policy.victim(s -> !pinned.get(s)), where + " asked again");
            if (random.nextInt(3) > 0) {
              policy.onRemove(victim);
              model.onRemove(victim);
              present.clear(victim);
            }
          }
        }
      }
    }
    for (int slot = present.nextSetBit(0); slot >= 0; slot = present.nextSetBit(slot + 1)) {
      int victim = policy.victim(EvictionPolicyTest::any);
      assertEquals(model.victim(EvictionPolicyTest::any), victim, where + " draining");
      policy.onRemove(victim);
      model.onRemove(victim);
    }
    assertEquals(EvictionPolicy.NONE, policy.victim(EvictionPolicyTest::any), where);
  }

  private static boolean any(int slot) {
    return slot >= 0;
  }

  private static boolean holds(BitSet present, long[] keyOf, long key) {
    return present.stream().anyMatch(slot -> keyOf[slot] == key);
  }

  @Test
  void shouldEvictOldestUseFirstWhenPolicyIsLru() {
    EvictionPolicy lru = EvictionPolicies.create("lru", 3);
    for (int slot = 0; slot < 3; slot++) {
      lru.onInsert(slot, key(slot));
    }
    lru.onAccess(0);

    assertEquals(1, lru.victim(EvictionPolicyTest::any));
    assertEquals(2, lru.victim(slot -> slot != 1));
    // Slot 1 was refused, so it counts as used.
    assertEquals(2, lru.victim(EvictionPolicyTest::any));
    assertEquals(EvictionPolicy.NONE, lru.victim(_ -> false));
  }

  @Test
  void shouldKeepUsedSlotsWhenScanPassesThroughS3Fifo() {
    EvictionPolicy s3Fifo = EvictionPolicies.create("s3fifo", 10);
    for (int slot = 0; slot < 10; slot++) {
      s3Fifo.onInsert(slot, key(slot));
    }
    for (int slot = 0; slot < 3; slot++) {
      s3Fifo.onAccess(slot);
    }
    for (int scan = 100; scan < 200; scan++) {
      int victim = s3Fifo.victim(EvictionPolicyTest::any);
      assertTrue(victim >= 3, "victim=" + victim);
      s3Fifo.onRemove(victim);
      s3Fifo.onInsert(victim, key(scan));
    }
  }

  @Test
  void shouldEnterMainQueueWhenKeyIsGhost() {
    S3Fifo s3Fifo = new S3Fifo(4, 0.5);
    for (int slot = 0; slot < 4; slot++) {
      s3Fifo.onInsert(slot, key(slot));
    }
    assertEquals(0, s3Fifo.victim(EvictionPolicyTest::any));
    s3Fifo.onRemove(0);
    s3Fifo.onInsert(0, key(0));

    // The small queue gives its slots down to its share; the one that came again is not among them.
    for (int expected : new int[] {1, 2}) {
      assertEquals(expected, s3Fifo.victim(EvictionPolicyTest::any));
      s3Fifo.onRemove(expected);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"lru", "s3fifo"})
  void shouldNotAllocateWhenWorking(String name) {
    int maxSlots = 1024;
    EvictionPolicy policy = EvictionPolicies.create(name, maxSlots);
    ChunkKey[] keys = new ChunkKey[4096];
    Arrays.setAll(keys, EvictionPolicyTest::key);
    IntPredicate evictable = slot -> slot % 7 != 0;
    for (int slot = 0; slot < maxSlots; slot++) {
      policy.onInsert(slot, keys[slot]);
    }
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    churn(policy, keys, evictable, 20_000);
    // Far below one byte per operation: the measuring itself may allocate.
    int allocatedBytesMax = 10_000;
    long best = Long.MAX_VALUE;
    for (int round = 0; round < 20 && best >= allocatedBytesMax; round++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      churn(policy, keys, evictable, 100_000);
      best = Math.min(best, threads.getCurrentThreadAllocatedBytes() - before);
    }

    assertTrue(best < allocatedBytesMax, "allocatedBytes=" + best);
  }

  private static void churn(
      EvictionPolicy policy, ChunkKey[] keys, IntPredicate evictable, int operations) {
    for (int i = 0; i < operations; i++) {
      policy.onAccess(i * 31 & 1023);
      int victim = policy.victim(evictable);
      policy.onRemove(victim);
      policy.onInsert(victim, keys[i * 17 & 4095]);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"lru", "s3fifo"})
  void shouldRefuseWhenSlotDoesNotFit(String name) {
    EvictionPolicy policy = EvictionPolicies.create(name, 2);
    policy.onInsert(1, key(1));

    assertThrows(IllegalStateException.class, () -> policy.onInsert(1, key(2)));
    assertThrows(IllegalStateException.class, () -> policy.onAccess(0));
    assertThrows(IllegalStateException.class, () -> policy.onRemove(0));
    for (int slot : new int[] {-1, 2, 3, Integer.MAX_VALUE}) {
      assertThrows(IndexOutOfBoundsException.class, () -> policy.onInsert(slot, key(1)));
      assertThrows(IndexOutOfBoundsException.class, () -> policy.onAccess(slot));
      assertThrows(IndexOutOfBoundsException.class, () -> policy.onRemove(slot));
    }
    assertEquals(1, policy.victim(EvictionPolicyTest::any));
  }

  @Test
  void shouldRefuseWhenPolicyCannotBeMade() {
    assertRefused("KVA-0813", () -> EvictionPolicies.create("fifo", 10));
    assertRefused("KVA-0813", () -> EvictionPolicies.create("LRU", 10));
    for (String name : EvictionPolicies.names()) {
      for (int maxSlots : new int[] {0, -1, Integer.MAX_VALUE}) {
        assertRefused("KVA-0814", () -> EvictionPolicies.create(name, maxSlots));
      }
    }
    for (double smallShare : new double[] {0, 1, -0.1, Double.NaN}) {
      assertRefused("KVA-0817", () -> new S3Fifo(10, smallShare));
    }
  }

  /** Low bits collide on purpose: the ghost table must probe. */
  private static ChunkKey key(long number) {
    return new ChunkKey(0, number << 4, 0, 0);
  }

  /** LRU as a list, oldest first. */
  private static final class LruModel implements EvictionPolicy {
    private final List<Integer> slots = new ArrayList<>();

    @Override
    public void onInsert(int slot, ChunkKey key) {
      slots.add(slot);
    }

    @Override
    public void onAccess(int slot) {
      slots.remove(Integer.valueOf(slot));
      slots.add(slot);
    }

    @Override
    public void onRemove(int slot) {
      slots.remove(Integer.valueOf(slot));
    }

    @Override
    public int victim(IntPredicate evictable) {
      for (int slot : List.copyOf(slots)) {
        if (evictable.test(slot)) {
          return slot;
        }
        onAccess(slot);
      }
      return NONE;
    }
  }

  /** S3-FIFO as lists, oldest first; refused slots are set aside and put back behind the others. */
  private static final class S3FifoModel implements EvictionPolicy {
    private final double smallShare;
    private final List<Entry> small = new ArrayList<>();
    private final List<Entry> main = new ArrayList<>();

    /** Keys of the last evictions, oldest first; a taken key leaves -1 behind. */
    private final List<Long> ghosts = new ArrayList<>();

    S3FifoModel(double smallShare) {
      this.smallShare = smallShare;
    }

    @Override
    public void onInsert(int slot, ChunkKey key) {
      int ghost = ghosts.indexOf(key.w1());
      if (ghost >= 0) {
        ghosts.set(ghost, -1L);
      }
      (ghost >= 0 ? main : small).add(new Entry(slot, key.w1()));
    }

    @Override
    public void onAccess(int slot) {
      for (List<Entry> queue : List.of(small, main)) {
        queue.stream().filter(e -> e.slot == slot).forEach(e -> e.uses = Math.min(3, e.uses + 1));
      }
    }

    @Override
    public void onRemove(int slot) {
      int limit = (int) Math.ceil(0.9 * (small.size() + main.size()));
      for (Entry entry : List.copyOf(small)) {
        if (entry.slot == slot) {
          while (ghosts.size() >= limit) {
            ghosts.removeFirst();
          }
          ghosts.add(entry.key);
          small.remove(entry);
        }
      }
      main.removeIf(entry -> entry.slot == slot);
    }

    @Override
    public int victim(IntPredicate evictable) {
      List<Entry> smallRefused = new ArrayList<>();
      List<Entry> mainRefused = new ArrayList<>();
      int victim = NONE;
      while (victim == NONE && !(small.isEmpty() && main.isEmpty())) {
        int smallSize = small.size() + smallRefused.size();
        int allSize = smallSize + main.size() + mainRefused.size();
        boolean fromSmall =
            !small.isEmpty() && (main.isEmpty() || smallSize >= smallShare * allSize);
        Entry oldest = (fromSmall ? small : main).removeFirst();
        if (oldest.uses > 0) {
          oldest.uses = fromSmall ? 0 : oldest.uses - 1;
          main.add(oldest);
        } else if (evictable.test(oldest.slot)) {
          (fromSmall ? small : main).addFirst(oldest);
          victim = oldest.slot;
        } else {
          (fromSmall ? smallRefused : mainRefused).add(oldest);
        }
      }
      small.addAll(smallRefused);
      main.addAll(mainRefused);
      return victim;
    }

    private static final class Entry {
      final int slot;
      final long key;
      int uses;

      Entry(int slot, long key) {
        this.slot = slot;
        this.key = key;
      }
    }
  }
}
