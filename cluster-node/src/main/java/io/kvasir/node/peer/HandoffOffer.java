package io.kvasir.node.peer;

import io.kvasir.placement.ChunkKey;
import java.util.ArrayList;
import java.util.List;

/**
 * An offer as its parts come in.
 *
 * @param head its first part
 * @param deadlineNs when the hand-off ends, on this node's clock
 */
record HandoffOffer(
    long senderNodeId,
    HandoffNote.Offer head,
    long deadlineNs,
    List<ChunkKey> keys,
    List<Long> groups) {
  static HandoffOffer begin(
      final long senderNodeId, final HandoffNote.Offer head, final long nowNs) {
    final long remainingNs = Math.min(head.remainingNs(), Handoffs.DEADLINE_MAX_NS);
    return new HandoffOffer(
        senderNodeId, head, nowNs + remainingNs, new ArrayList<>(), new ArrayList<>());
  }

  /** Adds the next part; false if it does not continue what is here. */
  boolean add(final HandoffNote.Offer part) {
    if (part.first() != keys.size()
        || part.total() != head.total()
        || !part.fingerprint().equals(head.fingerprint())
        || !part.slices().equals(head.slices())) {
      return false;
    }
    keys.addAll(part.keys());
    groups.addAll(part.groups());
    return true;
  }

  boolean isWhole() {
    return keys.size() == head.total();
  }
}
