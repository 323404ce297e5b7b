package io.kvasir.transport;

import io.kvasir.placement.ChunkKey;
import java.lang.foreign.MemorySegment;

/**
 * What a peer asks of this node. Thread-safe; each chunk takes one answer, later ones are errors.
 */
public interface ServeRequest {
  /** Node id of the reader. */
  long peerNodeId();

  /** The reader's name of the namespace. */
  int namespaceTag();

  /** The reader's epoch of the namespace. */
  int epoch();

  /** Number of chunks. */
  int size();

  /** Key of a chunk. */
  ChunkKey key(int chunk);

  /** Group id of a chunk. */
  long group(int chunk);

  /** The version that the reader wants, or 0 for any. */
  long version(int chunk);

  /**
   * The chunk is pinned and may be sent.
   *
   * @param chunk index in this request.
   * @param memory the whole chunk: native and accessible from every thread; valid until {@link
   *     ChunkSource#finished}.
   * @param version its version, never 0.
   * @param crc32c its committed CRC-32C.
   */
  void found(int chunk, MemorySegment memory, long version, int crc32c);

  /** This node does not have the chunk. */
  default void missing(int chunk) {
    refused(chunk, PullFailure.MISSING);
  }

  /** This node does not send the chunk, for this reason. */
  void refused(int chunk, PullFailure reason);
}
