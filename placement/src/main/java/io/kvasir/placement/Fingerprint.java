package io.kvasir.placement;

import java.util.HexFormat;

/**
 * The 32 bytes that stand for a {@link Namespace}, held as four big-endian words, {@code w0} first.
 * Immutable and thread-safe.
 *
 * @param w0 bytes 0 to 7
 * @param w1 bytes 8 to 15
 * @param w2 bytes 16 to 23
 * @param w3 bytes 24 to 31
 */
public record Fingerprint(long w0, long w1, long w2, long w3) {
  /** Length of a fingerprint. */
  public static final int BYTES = Sha256.HASH_BYTES;

  /**
   * Reads the fingerprint at {@code bytes[offset .. offset + 32)}.
   *
   * @throws IndexOutOfBoundsException if it does not lie inside the array
   */
  public static Fingerprint fromBytes(byte[] bytes, int offset) {
    return new Fingerprint(
        Words.get(bytes, offset),
        Words.get(bytes, offset + 8),
        Words.get(bytes, offset + 16),
        Words.get(bytes, offset + 24));
  }

  /**
   * Reads what {@link #toString} wrote; upper-case digits are read too.
   *
   * @throws IllegalArgumentException if the text is not 64 hexadecimal digits
   */
  public static Fingerprint parse(String text) {
    if (text.length() != 2 * BYTES || !text.chars().allMatch(HexFormat::isHexDigit)) {
      throw new IllegalArgumentException(
          "KVA-0801 fingerprint not read - length="
              + text.length()
              + " (limit="
              + 2 * BYTES
              + "); give 64 hexadecimal digits");
    }
    return fromBytes(HexFormat.of().parseHex(text), 0);
  }

  /**
   * Writes the fingerprint to {@code bytes[offset .. offset + 32)}.
   *
   * @throws IndexOutOfBoundsException if there is no room; nothing is written then
   */
  public void toBytes(byte[] bytes, int offset) {
    Words.put(bytes, offset, w0, w1, w2, w3);
  }

  /** 64 lower-case hexadecimal digits. */
  @Override
  public String toString() {
    return Words.hex(w0, w1, w2, w3);
  }
}
