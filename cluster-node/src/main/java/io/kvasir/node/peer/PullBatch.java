package io.kvasir.node.peer;

import java.util.BitSet;
import java.util.List;

/** Chunks that one peer was asked for by one pull over the network. Node agent only. */
final class PullBatch {
  final long nodeId;
  final long pullId;
  final List<ChunkPull> pulls;
  final PullRates.Transfer transfer;

  /** Those that have not ended. */
  final BitSet open;

  /** Another holder was asked for one of them; that is done once. */
  boolean isHedged;

  PullBatch(
      final long nodeId,
      final long pullId,
      final List<ChunkPull> pulls,
      final PullRates.Transfer transfer) {
    this.nodeId = nodeId;
    this.pullId = pullId;
    this.pulls = List.copyOf(pulls);
    this.transfer = transfer;
    this.open = new BitSet(pulls.size());
    open.set(0, pulls.size());
  }

  /** The first chunk that has not ended; there is one. */
  ChunkPull firstOpen() {
    return pulls.get(open.nextSetBit(0));
  }
}
