package io.kvasir.placement;

import static io.kvasir.placement.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;

/** The vectors were computed with vLLM's own function. */
class VllmBlockHashesTest {
  private static final byte[] NONE_HASH = VllmBlockHashes.noneHash(VllmBlockHashes.DEFAULT_SEED);
  private static final int[] FIRST = {1, 2, 3, 4};

  @Test
  void shouldMatchEngineWhenHashingSeed() {
    assertEquals(
        "9bd96a485ad84efdafb72ee48a1d7a69bcead0f8f0433173941b276b9581eef0", hex(NONE_HASH));
  }

  @Test
  void shouldMatchEngineWhenHashingChainOfBlocks() {
    assertEquals(
        "58d0879dff3800f65f8c5fd449d73048c0f7699dd238a03b84b146b151d55111"
            + "38f871f2e50e1f7ceef69412d18f94cdea2cbaa150305e735644090884a4749f",
        hash(new int[] {1, 2, 3, 4, 5, 300, 70000, 8, 9}, VllmBlockHashesTest::noExtraKeys));
  }

  @Test
  void shouldContinueChainWhenParentIsEarlierBlock() {
    byte[] first =
        VllmBlockHashes.blockHashes(NONE_HASH, FIRST, 4, VllmBlockHashesTest::noExtraKeys);

    byte[] second =
        VllmBlockHashes.blockHashes(
            first, new int[] {5, 300, 70000, 8}, 4, VllmBlockHashesTest::noExtraKeys);

    assertEquals("38f871f2e50e1f7ceef69412d18f94cdea2cbaa150305e735644090884a4749f", hex(second));
  }

  @Test
  void shouldMatchEngineWhenBlockIsSalted() {
    assertEquals(
        "80b4edb97e93edffd5f0515f66d4462e1f838f3a0386316cb40ce03e34a50894",
        hash(FIRST, _ -> List.of(new VllmExtraKey.Text("tenantA"))));
  }

  @Test
  void shouldMatchEngineWhenBlockHasLoraAndItem() {
    assertEquals(
        "94720ea7c77600a884ad5c27e833c08c6329c18227612c58c6f6c2939b6dd465",
        hash(
            FIRST,
            _ -> List.of(new VllmExtraKey.Text("lora1"), new VllmExtraKey.Item("mmhash", 0))));
  }

  @Test
  void shouldAskExtraKeysOfEachBlockWhenSaltIsOnFirstOnly() {
    int[] tokens = {1, 2, 3, 4, 1, 2, 3, 4};
    byte[] salted =
        VllmBlockHashes.blockHashes(
            NONE_HASH,
            tokens,
            4,
            block -> block == 0 ? List.of(new VllmExtraKey.Text("tenantA")) : List.of());

    byte[] saltedFirst = Arrays.copyOf(salted, 32);
    byte[] secondOnSalted =
        VllmBlockHashes.blockHashes(saltedFirst, FIRST, 4, VllmBlockHashesTest::noExtraKeys);
    assertArrayEquals(secondOnSalted, Arrays.copyOfRange(salted, 32, 64));
  }

  @Test
  void shouldTellItemsApartWhenOnlyOffsetDiffers() {
    String before = hash(FIRST, _ -> List.of(new VllmExtraKey.Item("mmhash", -1)));
    String inside = hash(FIRST, _ -> List.of(new VllmExtraKey.Item("mmhash", 1)));

    assertNotEquals(before, inside);
  }

  @Test
  void shouldRefuseWhenInputIsOutOfRange() {
    assertRefused(
        "KVA-0808",
        () ->
            VllmBlockHashes.blockHashes(new byte[31], FIRST, 4, VllmBlockHashesTest::noExtraKeys));
    assertRefused(
        "KVA-0804",
        () -> VllmBlockHashes.blockHashes(NONE_HASH, FIRST, 0, VllmBlockHashesTest::noExtraKeys));
    assertRefused(
        "KVA-0805",
        () ->
            VllmBlockHashes.blockHashes(
                NONE_HASH, new int[] {-1}, 1, VllmBlockHashesTest::noExtraKeys));
    assertRefused("KVA-0807", () -> VllmBlockHashes.noneHash("\uD800"));
  }

  private static List<VllmExtraKey> noExtraKeys(int block) {
    return List.of();
  }

  private static String hash(int[] tokens, IntFunction<List<VllmExtraKey>> extraKeys) {
    return hex(VllmBlockHashes.blockHashes(NONE_HASH, tokens, 4, extraKeys));
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}
