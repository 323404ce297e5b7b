package io.kvasir.transport;

import io.kvasir.placement.ChunkKey;
import java.lang.foreign.MemorySegment;

/**
 * One chunk of a pull.
 *
 * @param key chunk key.
 * @param group id of the chunk's group.
 * @param destination native memory of at least {@code lengthBytes}, writable and accessible from
 *     every thread; it must stay valid until the listener was called for this chunk.
 * @param lengthBytes length of the whole chunk.
 * @param version the only version that may be delivered, or 0 for any.
 * @param fromOffset leading bytes that are in place already, of {@code version}; 0 for a fresh
 *     pull.
 */
public record PullChunk(
    ChunkKey key,
    long group,
    MemorySegment destination,
    int lengthBytes,
    long version,
    int fromOffset) {
  public PullChunk {
    if (lengthBytes <= 0
        || !destination.isNative()
        || destination.isReadOnly()
        || destination.byteSize() < lengthBytes
        || fromOffset < 0
        || fromOffset >= lengthBytes
        || (fromOffset > 0 && version == 0)) {
      throw new IllegalArgumentException(
          "KVA-0402 chunk of a pull rejected - lengthBytes="
              + lengthBytes
              + " destinationBytes="
              + destination.byteSize()
              + " native="
              + destination.isNative()
              + " fromOffset="
              + fromOffset
              + " version="
              + Long.toHexString(version)
              + "; give writable native memory of the chunk's length, and a version to resume");
    }
  }
}
