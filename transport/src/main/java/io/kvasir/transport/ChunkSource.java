package io.kvasir.transport;

import io.kvasir.placement.ChunkKey;

/**
 * The holder's side of pulls: finds the chunks that peers ask for. Methods may only hand the event
 * to another thread.
 */
public interface ChunkSource {
  /**
   * A peer asks for chunks. Every chunk of the request must be answered, from any thread and in any
   * order. Called on the lane thread.
   */
  void requested(ServeRequest request);

  /**
   * The memory of a found chunk is no longer read; called exactly once per call of {@link
   * ServeRequest#found}, on the lane thread, or inside {@code found} when the peer has gone
   * meanwhile.
   */
  void finished(ServeRequest request, int chunk);

  /**
   * A peer found that the bytes of this version of a chunk did not have the checksum that came with
   * them: on the way or in this node's memory something flipped. Called on the lane thread.
   */
  void doubted(ChunkKey key, long version);
}
