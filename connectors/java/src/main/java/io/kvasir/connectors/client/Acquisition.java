package io.kvasir.connectors.client;

import io.kvasir.connectors.protocol.AcquireEndBody;
import io.kvasir.connectors.protocol.ChunkSource;
import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.connectors.protocol.ReadyBody;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * Chunks on their way into the slab, in order. The chunks stay pinned until the acquisition is
 * released, which must happen exactly once. Made by {@link KvasirClient#acquire}; not thread-safe.
 */
public final class Acquisition {
  private final KvasirClient owner;
  private final Space space;
  private final long id;
  private final int chunks;
  private final long deadlineNs;
  private final ArrayDeque<LoadedChunk> ready = new ArrayDeque<>();
  private int readyChunks;
  private @Nullable EndReason endReason;
  private boolean released;

  Acquisition(KvasirClient owner, Space space, long id, int chunks, long deadlineNs) {
    this.owner = owner;
    this.space = space;
    this.id = id;
    this.chunks = chunks;
    this.deadlineNs = deadlineNs;
  }

  /** Leading chunks of the run that the node tries to make resident. */
  public int chunks() {
    return chunks;
  }

  /**
   * Waits for the next chunk.
   *
   * @return the chunk, or null when no more will come; {@link #endReason()} then says why
   * @throws NodeUnavailableException if the node is gone; all chunks of this acquisition are void
   */
  public @Nullable LoadedChunk next() {
    return owner.next(this);
  }

  /** Why no more chunks will come, or null as long as {@link #next} has not returned null. */
  public @Nullable EndReason endReason() {
    return ready.isEmpty() ? endReason : null;
  }

  long id() {
    return id;
  }

  /** Until when the node must have ended this acquisition. */
  long deadlineNs() {
    return deadlineNs;
  }

  boolean isOf(KvasirClient client) {
    return owner == client && !released;
  }

  void released() {
    released = true;
  }

  /** Is there a chunk to hand out, or is the end known? */
  boolean hasNews() {
    return !ready.isEmpty() || endReason != null;
  }

  @Nullable LoadedChunk poll() {
    return ready.poll();
  }

  /** Takes the entries of a READY; false if they cannot be true. */
  boolean onReady(ReadyBody body, Slab slab) {
    if (endReason != null
        || body.firstIndex() != readyChunks
        || body.count() > chunks - readyChunks) {
      return false;
    }
    for (int i = 0; i < body.count(); i++) {
      final int lengthBytes = body.lengthBytes(i);
      if (lengthBytes < 1 || lengthBytes > space.chunkBytes()) {
        return false;
      }
      final MemorySegment memory =
          slab.slice(body.segment(i), body.segmentOffset(i), lengthBytes).asReadOnly();
      final ChunkSource source = body.source(i);
      ready.add(new LoadedChunk(readyChunks++, memory, body.version(i), source));
    }
    return true;
  }

  /** Takes an ACQUIRE_END; false if it cannot be true. */
  boolean onEnd(AcquireEndBody body) {
    if (endReason != null || body.readyChunks() != readyChunks) {
      return false;
    }
    endReason = body.reason();
    return true;
  }
}
