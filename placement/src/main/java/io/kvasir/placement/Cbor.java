package io.kvasir.placement;

import java.nio.charset.CharacterCodingException;
import java.util.Arrays;

/**
 * Writes the part of canonical CBOR (RFC 8949, section 4.2.1) that block hashes need: integers of
 * 64 bits, byte strings, texts, arrays of known length and null. Every head takes its shortest
 * form. Not thread-safe.
 */
final class Cbor {
  private static final int UNSIGNED = 0;
  private static final int NEGATIVE = 1;
  private static final int BYTES = 2;
  private static final int TEXT = 3;
  private static final int ARRAY = 4;
  private static final byte NULL = (byte) 0xF6;
  private static final int HEAD_BYTES_MAX = 9;

  private byte[] buffer = new byte[1024];
  private int lengthBytes;

  Cbor clear() {
    lengthBytes = 0;
    return this;
  }

  Cbor integer(long value) {
    // -1 - value is the complement, so the smallest long needs no wider type.
    return value < 0 ? head(NEGATIVE, ~value) : head(UNSIGNED, value);
  }

  Cbor bytes(byte[] value, int offset, int valueBytes) {
    return head(BYTES, valueBytes).raw(value, offset, valueBytes);
  }

  Cbor text(String value) {
    try {
      byte[] utf8 = Utf8.encode(value);
      return head(TEXT, utf8.length).raw(utf8, 0, utf8.length);
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException(
          "KVA-0807 text not encoded - chars="
              + value.length()
              + "; it holds an unpaired surrogate, give Unicode text",
          e);
    }
  }

  /** Opens an array; the next {@code items} values belong to it. */
  Cbor array(int items) {
    return head(ARRAY, items);
  }

  Cbor nil() {
    reserve(1);
    buffer[lengthBytes++] = NULL;
    return this;
  }

  /** Writes the SHA-256 of what was written so far to {@code result}. */
  void hash(byte[] result, int resultOffset) {
    Sha256.ofThisThread().hash(buffer, 0, lengthBytes, result, resultOffset);
  }

  byte[] toByteArray() {
    return Arrays.copyOf(buffer, lengthBytes);
  }

  private Cbor head(int majorType, long argument) {
    reserve(HEAD_BYTES_MAX);
    int type = majorType << 5;
    if (argument < 24) {
      buffer[lengthBytes++] = (byte) (type | (int) argument);
      return this;
    }
    // 24, 25, 26, 27 announce 1, 2, 4, 8 bytes of argument, big-endian.
    int width = argument <= 0xFF ? 0 : argument <= 0xFFFF ? 1 : argument <= 0xFFFF_FFFFL ? 2 : 3;
    buffer[lengthBytes++] = (byte) (type | 24 + width);
    for (int shift = (8 << width) - 8; shift >= 0; shift -= 8) {
      buffer[lengthBytes++] = (byte) (argument >>> shift);
    }
    return this;
  }

  private Cbor raw(byte[] value, int offset, int valueBytes) {
    reserve(valueBytes);
    System.arraycopy(value, offset, buffer, lengthBytes, valueBytes);
    lengthBytes += valueBytes;
    return this;
  }

  private void reserve(int moreBytes) {
    int neededBytes = Math.addExact(lengthBytes, moreBytes);
    if (neededBytes > buffer.length) {
      buffer = Arrays.copyOf(buffer, Math.max(neededBytes, 2 * buffer.length));
    }
  }
}
