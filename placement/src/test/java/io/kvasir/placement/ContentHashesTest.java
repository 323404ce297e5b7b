package io.kvasir.placement;

import static io.kvasir.placement.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ContentHashesTest {
  private static final int[] TOKENS = {1, 2, 3, 4, 5, 300, 70000, 8};

  @Test
  void shouldMatchGoldenVectorsWhenHashingNatively() {
    assertEquals(
        "d8faa8ec8c0500567ca87b56e4bb666d69cb512e638103891defea24e88cbc92"
            + "c1c69d28d47816c24f429090e4158c228553c188673383530940762088319e76",
        hex(ContentHashes.chunkHashes(TOKENS, 4)));
  }

  @Test
  void shouldMatchGoldenVectorsWhenHashingSglangPages() {
    assertEquals(
        "cf97adeedb59e05bfd73a2b4c2a8885708c4f4f70c84c64b27120e72ab733b72"
            + "25a0e30c69387ea41f00380c263446c6c013ee41fe83d1311d1e652ccdb784a4",
        hex(SglangPageHashes.pageHashes(TOKENS, 4)));
  }

  @Test
  void shouldLeaveOutTailWhenChunkIsPartial() {
    byte[] full = ContentHashes.chunkHashes(TOKENS, 4);

    assertArrayEquals(full, ContentHashes.chunkHashes(Arrays.copyOf(TOKENS, 11), 4));
    assertEquals(0, ContentHashes.chunkHashes(TOKENS, 9).length);
    assertEquals(0, ContentHashes.chunkHashes(new int[0], 1).length);
    assertEquals(0, SglangPageHashes.pageHashes(TOKENS, 9).length);
  }

  @Test
  void shouldShareHashesExactlyUpToFirstDifferenceWhenPromptsDiverge() {
    long seed = System.nanoTime();
    System.out.println("ContentHashesTest seed=" + seed);
    Random random = new Random(seed);
    for (int round = 0; round < 200; round++) {
      int chunkTokens = 1 + random.nextInt(40);
      int[] tokens = random.ints(1 + random.nextInt(400), 0, Integer.MAX_VALUE).toArray();
      int[] changed = tokens.clone();
      int position = random.nextInt(tokens.length);
      changed[position] ^= 1 << random.nextInt(31);

      byte[] a = ContentHashes.chunkHashes(tokens, chunkTokens);
      byte[] b = ContentHashes.chunkHashes(changed, chunkTokens);

      int firstChanged = position / chunkTokens;
      for (int chunk = 0; chunk < a.length / 32; chunk++) {
        boolean equal =
            Arrays.equals(a, chunk * 32, chunk * 32 + 32, b, chunk * 32, chunk * 32 + 32);
        assertEquals(chunk < firstChanged, equal, "seed=" + seed + " round=" + round);
      }
    }
  }

  @Test
  void shouldTakeLastBlockWhenChunkHasSeveralBlocks() {
    byte[] blocks = new byte[5 * 32];
    for (int block = 0; block < 5; block++) {
      Arrays.fill(blocks, block * 32, block * 32 + 32, (byte) block);
    }

    byte[] chunks = ContentHashes.ofBlocks(blocks, 2);

    byte[] expected = new byte[2 * 32];
    Arrays.fill(expected, 0, 32, (byte) 1);
    Arrays.fill(expected, 32, 64, (byte) 3);
    assertArrayEquals(expected, chunks);
    assertArrayEquals(blocks, ContentHashes.ofBlocks(blocks, 1));
    assertEquals(0, ContentHashes.ofBlocks(blocks, Integer.MAX_VALUE).length);
  }

  @Test
  void shouldRefuseWhenInputIsOutOfRange() {
    assertRefused("KVA-0804", () -> ContentHashes.chunkHashes(TOKENS, 0));
    assertRefused("KVA-0804", () -> SglangPageHashes.pageHashes(TOKENS, -1));
    assertRefused("KVA-0805", () -> ContentHashes.chunkHashes(new int[] {1, -2}, 2));
    assertRefused(
        "KVA-0803", () -> ContentHashes.chunkHashes(new int[HashChain.TOKENS_MAX + 1], 1));
    assertRefused("KVA-0806", () -> ContentHashes.ofBlocks(new byte[33], 1));
    assertRefused("KVA-0806", () -> ContentHashes.ofBlocks(new byte[32], 0));
    assertEquals(0, ContentHashes.chunkHashes(TOKENS, Integer.MAX_VALUE).length);
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}
