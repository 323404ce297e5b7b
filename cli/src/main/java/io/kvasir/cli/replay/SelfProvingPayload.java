package io.kvasir.cli.replay;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Bytes that prove themselves: every 8-byte word is derived from the block, the writer and the
 * word's offset, so a reader that knows the block alone finds the writer in the first word and then
 * knows every other word. Bytes of another block, of two writers, shifted or flipped do not pass.
 *
 * <p>{@code word[0] = writer ^ mix(block)}, {@code word[i] = mix(mix(block) + writer * GOLDEN +
 * i)}; {@code mix} is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
 * Thread-safe: no state.
 */
final class SelfProvingPayload {
  private static final long GOLDEN = 0x9E37_79B9_7F4A_7C15L;
  private static final ValueLayout.OfLong WORD =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private SelfProvingPayload() {}

  /** Fills all of {@code chunk}, whose size is a multiple of 8. */
  static void write(MemorySegment chunk, int blockId, long writer) {
    long seed = mix(blockId);
    chunk.set(WORD, 0, writer ^ seed);
    long base = seed + writer * GOLDEN;
    long words = chunk.byteSize() / Long.BYTES;
    for (long i = 1; i < words; i++) {
      chunk.set(WORD, i * Long.BYTES, mix(base + i));
    }
  }

  /** Returns the number of wrong bytes, counted by words; 0 when the chunk proves itself. */
  static long wrongBytes(MemorySegment chunk, int blockId, long writersMax) {
    long seed = mix(blockId);
    long writer = chunk.get(WORD, 0) ^ seed;
    if (writer < 0 || writer >= writersMax) {
      return chunk.byteSize();
    }
    long base = seed + writer * GOLDEN;
    long words = chunk.byteSize() / Long.BYTES;
    long wrongWords = 0;
    for (long i = 1; i < words; i++) {
      if (chunk.get(WORD, i * Long.BYTES) != mix(base + i)) {
        wrongWords++;
      }
    }
    return wrongWords * Long.BYTES;
  }

  private static long mix(long value) {
    long z = value + GOLDEN;
    z = (z ^ (z >>> 30)) * 0xBF58_476D_1CE4_E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D0_49BB_1331_11EBL;
    return z ^ (z >>> 31);
  }
}
