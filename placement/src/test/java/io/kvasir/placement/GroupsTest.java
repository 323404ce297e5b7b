package io.kvasir.placement;

import static io.kvasir.placement.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GroupsTest {
  @ParameterizedTest
  @ValueSource(ints = {64, 128, 256, 512})
  void shouldStartGroupsAtTheirTokensWhenChunksFit(int chunkTokens) {
    for (long position = 0; position < 40_000 / chunkTokens; position++) {
      long token = position * chunkTokens;
      boolean boundary = token == 0 || (token >= 512 && (token - 512) % 4096 == 0);
      assertEquals(boundary, Groups.startsGroup(position, chunkTokens), "token=" + token);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 17, 100, 192, 257, 511, 513, 1000, 4095, 4096, 4097, 5000, 100_000})
  void shouldPlaceChunkByItsFirstTokenWhenChunksStraddle(int chunkTokens) {
    long anchor = 0;
    for (long position = 0; position < 30_000; position++) {
      boolean starts =
          position == 0
              || groupOfToken(position * chunkTokens) != groupOfToken((position - 1) * chunkTokens);
      if (starts) {
        anchor = position;
      }
      assertEquals(starts, Groups.startsGroup(position, chunkTokens), "position=" + position);
      assertEquals(anchor, Groups.anchorPosition(position, chunkTokens), "position=" + position);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0, 256, 0",
    "1, 256, 0",
    "2, 256, 2",
    "17, 256, 2",
    "18, 256, 18",
    "0, 512, 0",
    "1, 512, 1",
    "8, 512, 1",
    "9, 512, 9",
    "5, 100, 0",
    "6, 100, 6",
    "46, 100, 6",
    "47, 100, 47"
  })
  void shouldFindAnchorWhenBoundariesAreNear(long position, int chunkTokens, long anchor) {
    assertEquals(anchor, Groups.anchorPosition(position, chunkTokens));
  }

  @Test
  void shouldAgreeWithArithmeticWhenPositionsAreLarge() {
    long seed = System.nanoTime();
    System.out.println("GroupsTest seed=" + seed);
    Random random = new Random(seed);
    for (int round = 0; round < 100_000; round++) {
      int chunkTokens = 1 + random.nextInt(1 << random.nextInt(1, 20));
      long position = random.nextLong(Long.MAX_VALUE / chunkTokens);
      long anchor = Groups.anchorPosition(position, chunkTokens);
      String where = "seed=" + seed + " position=" + position + " chunkTokens=" + chunkTokens;
      assertTrue(anchor <= position, where);
      assertEquals(groupOfToken(position * chunkTokens), groupOfToken(anchor * chunkTokens), where);
      assertTrue(Groups.startsGroup(anchor, chunkTokens), where);
      if (anchor > 0) {
        assertTrue(
            groupOfToken((anchor - 1) * chunkTokens) < groupOfToken(anchor * chunkTokens), where);
      }
    }
  }

  @Test
  void shouldNameGroupByFirstWordWhenKeyIsGiven() {
    assertEquals(7, Groups.groupId(new ChunkKey(7, 1, 2, 3)));
  }

  @Test
  void shouldRefuseWhenPositionIsOutOfRange() {
    assertRefusedAt(-1, 256);
    assertRefusedAt(0, 0);
    assertRefusedAt(0, -256);
    assertRefusedAt(Long.MAX_VALUE, 2);
    assertFalse(Groups.startsGroup(1, 256));
  }

  private static void assertRefusedAt(long position, int chunkTokens) {
    assertRefused("KVA-0809", () -> Groups.startsGroup(position, chunkTokens));
    assertRefused("KVA-0809", () -> Groups.anchorPosition(position, chunkTokens));
  }

  private static long groupOfToken(long token) {
    return token < 512 ? 0 : 1 + (token - 512) / 4096;
  }
}
