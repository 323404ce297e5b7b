package io.kvasir.node.peer;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A second holder's race for a chunk, into memory of its own: two holders never write into one
 * slot. Node agent only.
 */
final class Hedge {
  final long pullId;
  final int holder;
  final PullBatch batch;
  final MemorySegment buffer;
  final MemorySegment memory;
  final PullRates.Transfer transfer;

  /** The chunk; null when nobody waits for this one any more. */
  @Nullable ChunkPull pull;

  /** The bytes are here and right; the first holder is being told to stop. */
  boolean isHere;

  long version;
  int crc32c;

  /** What the first holder's failure was to lead to, if it came first. */
  @Nullable Runnable onFailure;

  Hedge(
      final long pullId,
      final int holder,
      final PullBatch batch,
      final ChunkPull pull,
      final MemorySegment buffer,
      final PullRates.Transfer transfer) {
    this.pullId = pullId;
    this.holder = holder;
    this.batch = batch;
    this.pull = pull;
    this.buffer = buffer;
    this.memory = buffer.asSlice(0, pull.holders.lengthBytes());
    this.transfer = transfer;
  }
}
