package io.kvasir.node.peer;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/** Chunks that this node asked one neighbour for at a time. Node agent only. */
final class BorrowBatch {
  final long id;
  final long deadlineNs;
  private final List<ChunkPull> pulls;
  private final BitSet unanswered = new BitSet();
  private long heardNs;

  BorrowBatch(final long id, final long deadlineNs, final List<ChunkPull> pulls, final long nowNs) {
    this.id = id;
    this.deadlineNs = deadlineNs;
    this.pulls = List.copyOf(pulls);
    this.heardNs = nowNs;
    unanswered.set(0, pulls.size());
  }

  ChunkPull pull(final int chunk) {
    return pulls.get(chunk);
  }

  /** The neighbour answered about this chunk; false if it may not do so (again). */
  boolean answered(final int chunk, final long nowNs) {
    if (!unanswered.get(chunk)) {
      return false;
    }
    unanswered.clear(chunk);
    heardNs = nowNs;
    return true;
  }

  boolean isAnswered() {
    return unanswered.isEmpty();
  }

  long silentNs(final long nowNs) {
    return nowNs - heardNs;
  }

  /** Gives up on the rest; what comes of it later is returned unread. */
  List<ChunkPull> takeUnanswered() {
    final List<ChunkPull> rest = new ArrayList<>(unanswered.cardinality());
    unanswered.stream().forEach(chunk -> rest.add(pulls.get(chunk)));
    unanswered.clear();
    return rest;
  }
}
