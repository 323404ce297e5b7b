package io.kvasir.node.peer;

import io.kvasir.placement.ChunkKey;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * How the chunks of a hand-off are cut. A slice is pulled like a chunk, under a key of its own: who
 * knows the hand-off and the chunk can derive it, and it is the key of no chunk.
 *
 * @param chunkBytes length of each chunk
 * @param sliceBytes length of every slice of a chunk but the last
 */
record Slices(int chunkBytes, int sliceBytes) {
  private static final byte[] LABEL = "kvasir slice".getBytes(StandardCharsets.US_ASCII);

  /** CRC-32C's polynomial, the lowest power in the highest bit. */
  private static final int POLYNOMIAL = 0x82F63B78;

  private static final int ONE = 1 << 31;
  private static final int X = 1 << 30;

  int perChunk() {
    return Math.ceilDiv(chunkBytes, sliceBytes);
  }

  /** Where the slice begins in its chunk. */
  int offset(final int slice) {
    return slice * sliceBytes;
  }

  int length(final int slice) {
    return Math.min(sliceBytes, chunkBytes - offset(slice));
  }

  /** {@code SHA-256("kvasir slice" ‖ hand-off id ‖ chunk key ‖ slice as u32)}, big-endian. */
  static ChunkKey key(final long handoffId, final ChunkKey chunk, final int slice) {
    final byte[] name = new byte[LABEL.length + Long.BYTES + ChunkKey.BYTES + Integer.BYTES];
    ByteBuffer.wrap(name)
        .put(LABEL)
        .putLong(handoffId)
        .putLong(chunk.w0())
        .putLong(chunk.w1())
        .putLong(chunk.w2())
        .putLong(chunk.w3())
        .putInt(slice);
    try {
      return ChunkKey.fromBytes(MessageDigest.getInstance("SHA-256").digest(name), 0);
    } catch (final NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /**
   * CRC-32C of a chunk from those of its slices: the checksum of two stretches is that of the first
   * times x to the bits of the second, plus that of the second (M. Adler, zlib, crc32_combine).
   */
  int combine(final int[] crcs) {
    int crc = crcs[0];
    for (int slice = 1; slice < crcs.length; slice++) {
      crc = multiply(power((long) length(slice) * Byte.SIZE), crc) ^ crcs[slice];
    }
    return crc;
  }

  /** x to this power, modulo the polynomial. */
  private static int power(final long exponent) {
    int product = ONE;
    int square = X;
    for (long left = exponent; left != 0; left >>>= 1) {
      if ((left & 1) != 0) {
        product = multiply(square, product);
      }
      square = multiply(square, square);
    }
    return product;
  }

  /** Product of two polynomials modulo the polynomial. */
  private static int multiply(final int a, final int b) {
    int product = 0;
    int shifted = b;
    for (int bit = ONE; bit != 0; bit >>>= 1) {
      if ((a & bit) != 0) {
        product ^= shifted;
      }
      shifted = (shifted & 1) != 0 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
    }
    return product;
  }
}
