package io.kvasir.transport;

import io.kvasir.placement.ChunkKey;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.zip.CRC32C;

/** Chunks whose bytes follow from key, version and offset, so that every process can check them. */
final class Payload {
  private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED;

  private Payload() {}

  static ChunkKey key(long seed) {
    return new ChunkKey(mix(seed), mix(seed + 1), mix(seed + 2), mix(seed + 3));
  }

  static MemorySegment fill(ChunkKey key, long version, MemorySegment memory) {
    long size = memory.byteSize();
    for (long at = 0; at + 8 <= size; at += 8) {
      memory.set(WORD, at, word(key, version, at));
    }
    for (long at = size & ~7L; at < size; at++) {
      memory.set(ValueLayout.JAVA_BYTE, at, (byte) word(key, version, at));
    }
    return memory;
  }

  static MemorySegment of(Arena arena, ChunkKey key, long version, int lengthBytes) {
    return fill(key, version, arena.allocate(lengthBytes, 64));
  }

  /** The first wrong offset of {@code [0, length)}, or -1. */
  static long mismatch(ChunkKey key, long version, MemorySegment memory, long length) {
    for (long at = 0; at + 8 <= length; at += 8) {
      if (memory.get(WORD, at) != word(key, version, at)) {
        return at;
      }
    }
    boolean isWhole = length == memory.byteSize();
    for (long at = length & ~7L; isWhole && at < length; at++) {
      if (memory.get(ValueLayout.JAVA_BYTE, at) != (byte) word(key, version, at)) {
        return at;
      }
    }
    return -1;
  }

  static int crc32c(MemorySegment memory) {
    CRC32C crc = new CRC32C();
    crc.update(memory.asByteBuffer());
    return (int) crc.getValue();
  }

  private static long word(ChunkKey key, long version, long offset) {
    return mix(key.w0() ^ version * 31 ^ offset);
  }

  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
