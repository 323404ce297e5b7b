package io.kvasir.node.index;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.placement.ChunkKey;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class IndexEntryTest {
  private static final int LENGTH = 0x01020304;

  @Test
  void shouldLayOutAsDocumented() {
    final byte[] entry = IndexEntry.with(IndexEntry.with(null, LENGTH, 1, 2), LENGTH, 3, 4);
    assertEquals(
        "01020000"
            + "04030201"
            + "01"
            + "00".repeat(7)
            + "02"
            + "00".repeat(7)
            + "03"
            + "00".repeat(7)
            + "04"
            + "00".repeat(7),
        HexFormat.of().formatHex(entry));
    final byte[] key = new IndexKey(0x0102030405060708L, new ChunkKey(1, 2, 3, 4)).toBytes();
    assertEquals(
        "0102030405060708"
            + "0000000000000001"
            + "0000000000000002"
            + "0000000000000003"
            + "0000000000000004",
        HexFormat.of().formatHex(key));
    assertEquals(
        new IndexKey(0x0102030405060708L, new ChunkKey(1, 2, 3, 4)), IndexKey.fromBytes(key));
  }

  @Test
  void shouldDropTheOldestWhenHoldersAreMany() {
    byte[] entry = IndexEntry.with(null, LENGTH, 1, 1);
    for (int node = 2; node <= IndexEntry.HOLDERS_MAX + 1; node++) {
      entry = IndexEntry.with(entry, LENGTH, node, node);
    }
    assertTrue(IndexEntry.isValid(entry));
    assertEquals(IndexEntry.HOLDERS_MAX, IndexEntry.count(entry));
    assertEquals(2, IndexEntry.nodeId(entry, 0));
    assertEquals(IndexEntry.HOLDERS_MAX + 1, IndexEntry.nodeId(entry, IndexEntry.HOLDERS_MAX - 1));
  }

  @Test
  void shouldStartOverWhenTheLengthDiffers() {
    final byte[] entry = IndexEntry.with(IndexEntry.with(null, LENGTH, 1, 1), LENGTH + 1, 2, 2);
    assertEquals(1, IndexEntry.count(entry));
    assertEquals(LENGTH + 1, IndexEntry.lengthBytes(entry));
    assertEquals(2, IndexEntry.nodeId(entry, 0));
  }

  @Test
  void shouldRemoveOnlyTheVersionThatWasNamed() {
    final byte[] entry = IndexEntry.with(null, LENGTH, 1, 5);
    assertSame(entry, IndexEntry.without(entry, 1, 6));
    assertSame(entry, IndexEntry.without(entry, 2, 5));
    assertNull(IndexEntry.without(entry, 1, 5));
    assertNull(IndexEntry.without(entry, 1, HolderUpdate.ANY_VERSION));
  }

  @Test
  void shouldRefuseWhatIsNotAnEntry() {
    final byte[] good = IndexEntry.with(null, LENGTH, 1, 1);
    assertTrue(IndexEntry.isValid(good));
    assertFalse(IndexEntry.isValid(new byte[0]));
    for (final int[] change : new int[][] {{0, 2}, {1, 0}, {1, 2}, {1, 17}, {7, 0x80}}) {
      final byte[] bad = good.clone();
      bad[change[0]] = (byte) change[1];
      assertFalse(IndexEntry.isValid(bad), "offset " + change[0]);
      assertArrayEquals(good, IndexEntry.with(bad, LENGTH, 1, 1), "an announcement repairs it");
    }
    final SplittableRandom random = new SplittableRandom(7);
    for (int i = 0; i < 10_000; i++) {
      final byte[] noise = new byte[random.nextInt(100)];
      random.nextBytes(noise);
      IndexEntry.isValid(noise);
    }
  }

  @Test
  void shouldMergeLikeAMapWhenUpdatesAreRandom() {
    final long seed = System.nanoTime();
    final SplittableRandom random = new SplittableRandom(seed);
    final Map<Long, Long> model = new LinkedHashMap<>();
    byte @Nullable [] entry = null;
    for (int i = 0; i < 20_000; i++) {
      final long node = 1L + random.nextInt(IndexEntry.HOLDERS_MAX);
      final long version = 1L + random.nextInt(3);
      if (random.nextBoolean()) {
        entry = IndexEntry.with(entry, LENGTH, node, version);
        model.remove(node);
        model.put(node, version);
      } else if (entry != null) {
        entry = IndexEntry.without(entry, node, version);
        model.remove(node, version);
      }
      assertEquals(model, entry == null ? Map.of() : decoded(entry), "seed " + seed);
    }
  }

  private static Map<Long, Long> decoded(final byte[] entry) {
    assertTrue(IndexEntry.isValid(entry));
    final Map<Long, Long> holders = new LinkedHashMap<>();
    for (int i = 0; i < IndexEntry.count(entry); i++) {
      holders.put(IndexEntry.nodeId(entry, i), IndexEntry.version(entry, i));
    }
    return holders;
  }
}
