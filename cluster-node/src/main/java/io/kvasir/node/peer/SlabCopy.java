package io.kvasir.node.peer;

import io.kvasir.node.peer.NeighbourMessage.Place;
import io.kvasir.node.store.ForeignSlab;
import io.kvasir.transport.PullFailure;
import java.lang.foreign.MemorySegment;
import org.agrona.concurrent.NanoClock;
import org.jspecify.annotations.Nullable;

/**
 * The copy of one chunk out of a neighbour's slab into an own slot. Made by the node agent, run by
 * a copy worker, then the agent's again.
 */
final class SlabCopy implements Runnable {
  final BorrowBatch batch;
  final Place place;
  private final ForeignSlab source;
  private final MemorySegment target;
  private final NanoClock clock;
  private @Nullable PullFailure failure = PullFailure.UNREACHABLE;

  SlabCopy(
      final BorrowBatch batch,
      final Place place,
      final ForeignSlab source,
      final MemorySegment target,
      final NanoClock clock) {
    this.batch = batch;
    this.place = place;
    this.source = source;
    this.target = target;
    this.clock = clock;
  }

  ChunkPull pull() {
    return batch.pull(place.chunk());
  }

  /** Why the chunk is not in the slot, or null if it is. */
  @Nullable PullFailure failure() {
    return failure;
  }

  @Override
  public void run() {
    try {
      failure = copy();
    } catch (final InternalError e) {
      // Someone cut the owner's files; the JVM may say so later than at the read.
      failure = PullFailure.UNREACHABLE;
    }
  }

  private @Nullable PullFailure copy() {
    final int lengthBytes = (int) target.byteSize();
    if (pull().isUnwanted) {
      return PullFailure.CANCELLED;
    }
    if (clock.nanoTime() - batch.deadlineNs >= 0) {
      return PullFailure.DEADLINE;
    }
    if (place.version() == 0 || !source.contains(place.slabOffset(), lengthBytes)) {
      return PullFailure.PROTOCOL;
    }
    if (!source.isValid()) {
      return PullFailure.UNREACHABLE;
    }
    final int crc32c = source.copy(place.slabOffset(), lengthBytes, target);
    // An owner that was restarted or took the pin back may have put other bytes there meanwhile.
    if (!source.isValid()) {
      return PullFailure.UNREACHABLE;
    }
    return crc32c == place.crc32c() ? null : PullFailure.CORRUPT;
  }
}
