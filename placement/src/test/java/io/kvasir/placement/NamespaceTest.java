package io.kvasir.placement;

import static io.kvasir.placement.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class NamespaceTest {
  private static final Namespace FULL =
      new Namespace(
          "prod",
          "tenant-\u00e4",
          "meta-llama/Llama-3.1-8B",
          "0e9e39f",
          "sql-adapter",
          "3",
          "bfloat16",
          null,
          32,
          8,
          128,
          "layer-kv-token-head",
          null,
          2,
          "kvasir-sha256/256");

  /** The vectors were computed with Python's hashlib and struct. */
  @Test
  void shouldMatchGoldenVectorsWhenFingerprinting() {
    assertEquals(
        "716454982e8d4d8189e6e83a6ff8861b50738d2aaf5597619ef55656b1bf0b56",
        FULL.fingerprint().toString());
    assertEquals(
        "1dbd7dd0e38d75f4f9ac110efaa0ef3f0cda68766853d2e2666126ddf3bbacb5",
        new Namespace("d", null, "m", null, null, null, "f16", null, 1, 1, 1, "l", null, 1, "h")
            .fingerprint()
            .toString());
  }

  @Test
  void shouldMatchGoldenVectorsWhenDerivingKeys() {
    byte[] hashes = ContentHashes.chunkHashes(new int[] {1, 2, 3, 4, 5, 300, 70000, 8}, 4);

    Fingerprint fingerprint = FULL.fingerprint();

    assertEquals(
        "5989ccedccc699a502d9654e988b1cc88ee7bc12980792a49294434bc881a1aa",
        ChunkKey.derive(fingerprint, hashes, 0).toString());
    assertEquals(
        "afa37fc6b9881de2a3b62a7c759a3b5f64ab5704b496a18c3b8da067ea0a252e",
        ChunkKey.derive(fingerprint, hashes, 32).toString());
  }

  @Test
  void shouldGiveDifferentFingerprintsWhenAnyFieldDiffers() {
    List<String> fields = new ArrayList<>();
    for (String text :
        new String[] {"a", "b", "c", "d", "e", "f", "g", "h", "1", "2", "3", "i", "j", "4", "k"}) {
      fields.add(text);
    }
    Set<Fingerprint> seen = new HashSet<>();
    seen.add(of(fields).fingerprint());
    for (int i = 0; i < fields.size(); i++) {
      List<String> changed = new ArrayList<>(fields);
      changed.set(i, "7");
      assertTrue(seen.add(of(changed).fingerprint()), "field " + i);
    }
  }

  @Test
  void shouldTellAbsentFromEmptyAndShiftedWhenFieldsAreText() {
    Namespace absent = withSaltAndRevision(null, "");
    Namespace empty = withSaltAndRevision("", null);
    Namespace shifted = withSaltAndRevision("ab", "c");
    Namespace unshifted = withSaltAndRevision("a", "bc");

    assertNotEquals(absent.fingerprint(), empty.fingerprint());
    assertNotEquals(shifted.fingerprint(), unshifted.fingerprint());
  }

  @Test
  void shouldNameAllProblemsWhenFieldsAreBad() {
    String message =
        assertRefused(
            "KVA-0802",
            () ->
                new Namespace(
                    " ",
                    "\uDC00",
                    "x".repeat(Namespace.FIELD_BYTES_MAX + 1),
                    null,
                    null,
                    null,
                    "f16",
                    null,
                    0,
                    -1,
                    1,
                    "l",
                    null,
                    1,
                    ""));

    for (String field :
        List.of("trustDomain", "tenantSalt", "model", "layers=0", "kvHeads=-1", "hashScheme")) {
      assertTrue(message.contains(field), message);
    }
    assertFalse(message.contains("worldSize") || message.contains("kvDtype"), message);
  }

  private static Namespace withSaltAndRevision(@Nullable String salt, @Nullable String revision) {
    return new Namespace(
        "d", salt, "m", revision, null, null, "f16", null, 1, 1, 1, "l", null, 1, "h");
  }

  private static Namespace of(List<String> f) {
    return new Namespace(
        text(f, 0),
        text(f, 1),
        text(f, 2),
        text(f, 3),
        text(f, 4),
        text(f, 5),
        text(f, 6),
        text(f, 7),
        number(f, 8),
        number(f, 9),
        number(f, 10),
        text(f, 11),
        text(f, 12),
        number(f, 13),
        text(f, 14));
  }

  private static String text(List<String> fields, int index) {
    return fields.get(index);
  }

  private static int number(List<String> fields, int index) {
    return Integer.parseInt(text(fields, index));
  }
}
