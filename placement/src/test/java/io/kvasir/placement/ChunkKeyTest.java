package io.kvasir.placement;

import static io.kvasir.placement.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.HexFormat;
import java.util.Locale;
import org.junit.jupiter.api.Test;

class ChunkKeyTest {
  private static final String HEX =
      "000102030405060708090a0b0c0d0e0ff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

  @Test
  void shouldKeepBytesWhenReadAndWritten() {
    byte[] bytes = new byte[40];
    System.arraycopy(HexFormat.of().parseHex(HEX), 0, bytes, 5, 32);

    ChunkKey key = ChunkKey.fromBytes(bytes, 5);
    Fingerprint fingerprint = Fingerprint.fromBytes(bytes, 5);

    byte[] keyBytes = new byte[40];
    byte[] fingerprintBytes = new byte[40];
    key.toBytes(keyBytes, 5);
    fingerprint.toBytes(fingerprintBytes, 5);
    assertArrayEquals(bytes, keyBytes);
    assertArrayEquals(bytes, fingerprintBytes);
    assertEquals(HEX, key.toString());
    assertEquals(HEX, fingerprint.toString());
    assertEquals(0x0001020304050607L, key.w0());
    assertEquals(fingerprint, Fingerprint.parse(HEX));
    assertEquals(fingerprint, Fingerprint.parse(HEX.toUpperCase(Locale.ROOT)));
  }

  @Test
  void shouldSeparateNamespacesWhenContentIsEqual() {
    byte[] hash = ContentHashes.chunkHashes(new int[] {1, 2}, 2);

    assertNotEquals(
        ChunkKey.derive(new Fingerprint(0, 0, 0, 1), hash, 0),
        ChunkKey.derive(new Fingerprint(0, 0, 0, 2), hash, 0));
  }

  @Test
  void shouldDeriveSameKeyWhenThreadsDiffer() throws InterruptedException {
    Fingerprint namespace = new Fingerprint(1, 2, 3, 4);
    byte[] hashes = ContentHashes.chunkHashes(new int[4096], 4);
    ChunkKey[] expected = keys(namespace, hashes);
    ChunkKey[][] results = new ChunkKey[4][];
    Thread[] threads = new Thread[results.length];
    for (int i = 0; i < threads.length; i++) {
      int index = i;
      threads[i] = Thread.ofVirtual().start(() -> results[index] = keys(namespace, hashes));
    }
    for (int i = 0; i < threads.length; i++) {
      threads[i].join();
      assertArrayEquals(expected, results[i]);
    }
  }

  @Test
  void shouldRefuseWhenArrayHasNoRoom() {
    Fingerprint namespace = new Fingerprint(1, 2, 3, 4);
    ChunkKey key = new ChunkKey(1, 2, 3, 4);
    byte[] small = new byte[63];
    for (int offset : new int[] {-1, -24, 32, 63, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
      assertThrows(IndexOutOfBoundsException.class, () -> key.toBytes(small, offset));
      assertThrows(IndexOutOfBoundsException.class, () -> namespace.toBytes(small, offset));
      assertThrows(IndexOutOfBoundsException.class, () -> ChunkKey.fromBytes(small, offset));
      assertThrows(IndexOutOfBoundsException.class, () -> Fingerprint.fromBytes(small, offset));
      assertThrows(
          IndexOutOfBoundsException.class, () -> ChunkKey.derive(namespace, small, offset));
    }
    assertArrayEquals(new byte[63], small);
  }

  @Test
  void shouldRefuseWhenFingerprintTextIsBad() {
    for (String text : new String[] {"", HEX + "00", HEX.substring(1), "zz" + HEX.substring(2)}) {
      assertRefused("KVA-0801", () -> Fingerprint.parse(text));
    }
  }

  private static ChunkKey[] keys(Fingerprint namespace, byte[] hashes) {
    ChunkKey[] keys = new ChunkKey[hashes.length / 32];
    for (int i = 0; i < keys.length; i++) {
      keys[i] = ChunkKey.derive(namespace, hashes, i * 32);
    }
    return keys;
  }
}
