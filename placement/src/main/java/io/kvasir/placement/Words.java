package io.kvasir.placement;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.HexFormat;
import java.util.Objects;

/** Big-endian 64-bit words in byte arrays; 32-byte values are held as four of them. */
final class Words {
  private static final VarHandle BIG_ENDIAN_LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private Words() {}

  static long get(byte[] bytes, int offset) {
    return (long) BIG_ENDIAN_LONG.get(bytes, offset);
  }

  static void put(byte[] bytes, int offset, long w0, long w1, long w2, long w3) {
    // Checked as a whole, so that nothing is written where not all has room.
    Objects.checkFromIndexSize(offset, Sha256.HASH_BYTES, bytes.length);
    BIG_ENDIAN_LONG.set(bytes, offset, w0);
    BIG_ENDIAN_LONG.set(bytes, offset + 8, w1);
    BIG_ENDIAN_LONG.set(bytes, offset + 16, w2);
    BIG_ENDIAN_LONG.set(bytes, offset + 24, w3);
  }

  static String hex(long w0, long w1, long w2, long w3) {
    HexFormat hex = HexFormat.of();
    return hex.toHexDigits(w0) + hex.toHexDigits(w1) + hex.toHexDigits(w2) + hex.toHexDigits(w3);
  }
}
