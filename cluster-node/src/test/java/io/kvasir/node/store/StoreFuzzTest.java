package io.kvasir.node.store;

import static io.kvasir.node.store.StoreFixture.key;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(600)
class StoreFuzzTest {
  private static final boolean FULL = Boolean.getBoolean("kvasir.full");
  private static final int STEPS = FULL ? 40_000 : 4_000;

  static List<Long> seeds() {
    List<Long> seeds = new ArrayList<>();
    for (long seed = 1; seed <= (FULL ? 12 : 3); seed++) {
      seeds.add(seed);
    }
    return seeds;
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void shouldAgreeWithTheModelWhenUsedAtRandom(long seed) throws IOException {
    System.out.println("store fuzz seed=" + seed);
    try (StoreFuzz fuzz = new StoreFuzz(seed)) {
      fuzz.run(STEPS);
      System.out.println("store fuzz " + fuzz.stats());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 5, 64, 1000})
  void shouldFindEveryKeyWhenTheIndexIsFull(int slots) throws IOException {
    try (StoreFixture one = new StoreFixture(slots)) {
      one.config = one.config((long) slots * 4096, Math.min(slots, 256) * 4096L, slots);
      StoreConfig c = one.config;
      one.config =
          new StoreConfig(
              c.slabDirectory(),
              c.runDirectory(),
              c.slabBytes(),
              c.segmentBytes(),
              c.maxChunks(),
              1.0,
              "lru",
              1.0,
              1.0,
              1,
              Duration.ZERO,
              false);
      Owner owner = one.owner(1);
      for (int i = 0; i < slots; i++) {
        one.put(owner, i, 1);
      }
      for (int i = 0; i < slots; i++) {
        assertTrue(one.store().find(key(i)) >= 0);
        assertTrue(i % 3 != 0 || one.store().drop(key(i)));
      }
      for (int i = 0; i < slots; i++) {
        assertEquals(i % 3 != 0, one.store().find(key(i)) >= 0);
      }
      assertEquals(0, one.store().stats().evictions());
    }
  }

  @Test
  void shouldKeepStateCodesStable() {
    assertEquals(
        List.of("FREE=0", "RESERVED=1", "CHECKSUMMING=2", "COMMITTED=3", "QUARANTINED=4"),
        Arrays.stream(SlotState.values()).map(s -> s + "=" + s.code()).toList());
  }
}
