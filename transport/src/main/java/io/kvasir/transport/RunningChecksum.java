package io.kvasir.transport;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * CRC-32C of a chunk, taken segment by segment right after each was written into the slot: the
 * bytes are still in the core's cache then. One chunk at a time. Lane thread only; allocates once
 * per chunk.
 */
final class RunningChecksum {
  private static final ByteBuffer NONE = ByteBuffer.allocate(0);

  private final CRC32C crc = new CRC32C();
  private ByteBuffer chunk = NONE;

  /** Starts with the bytes of a chunk that are in place already. */
  void begin(MemorySegment destination, int bytesInPlace) {
    crc.reset();
    chunk = destination.asByteBuffer();
    add(0, bytesInPlace);
  }

  /** Goes on with bytes that were just written. */
  void add(int offset, int lengthBytes) {
    crc.update(chunk.limit(offset + lengthBytes).position(offset));
  }

  /** The checksum of all bytes so far; lets go of the chunk. */
  int end() {
    chunk = NONE;
    return (int) crc.getValue();
  }
}
