package io.kvasir.node.peer;

import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.node.index.Holders;
import io.kvasir.placement.ChunkKey;
import java.util.ArrayList;
import java.util.List;

/**
 * One chunk on its way from a peer into a reserved slot: which holders are left, and how far the
 * bytes have come. Node agent only.
 */
final class ChunkPull {
  static final long NOT_SENT = 0;
  private static final int NO_HOLDER = -1;

  /** Another operation that waits for the same chunk. */
  record Follower(AcquireOperation operation, int index) {}

  final AcquireOperation operation;
  final int index;
  final int slot;
  final Holders holders;
  final List<Follower> followers = new ArrayList<>(0);
  long pullId = NOT_SENT;

  /** Its holder was asked to lend it, as a node of this host, not to send it. */
  boolean isBorrowed;

  /** Nobody waits for what is being borrowed; read by the copy workers. */
  volatile boolean isUnwanted;

  /** The pull was cancelled because its holder left the cluster, not because nobody wants it. */
  boolean holderLeft;

  private final boolean[] tried;
  private int holder = NO_HOLDER;
  private long version;
  private int bytesReached;
  private EndReason failure = EndReason.FAILED;

  ChunkPull(
      final AcquireOperation operation, final int index, final int slot, final Holders holders) {
    this.operation = operation;
    this.index = index;
    this.slot = slot;
    this.holders = holders;
    this.tried = new boolean[holders.nodeIds().length];
  }

  ChunkKey key() {
    return operation.run().key(index);
  }

  long group() {
    return operation.run().group(index);
  }

  /**
   * Chooses the next holder: one that has the version whose bytes are already here, else the
   * preferred one, else any, spread by key.
   *
   * @return false if none is left
   */
  boolean chooseHolder(final PeerTable peers, final long preferredNodeId, final long nowNs) {
    final int count = tried.length;
    final int start = (int) Long.remainderUnsigned(key().w3(), count);
    int best = NO_HOLDER;
    int bestScore = -1;
    for (int i = 0; i < count; i++) {
      final int candidate = (start + i) % count;
      final long nodeId = holders.nodeIds()[candidate];
      if (tried[candidate] || peers.endpoint(nodeId, nowNs) == null) {
        continue;
      }
      final boolean resumes = bytesReached > 0 && holders.versions()[candidate] == version;
      final int score = (resumes ? 2 : 0) + (nodeId == preferredNodeId ? 1 : 0);
      if (score > bestScore) {
        bestScore = score;
        best = candidate;
      }
    }
    holder = best;
    if (best == NO_HOLDER) {
      return false;
    }
    tried[best] = true;
    if (bestScore < 2) {
      version = 0;
      bytesReached = 0;
    }
    return true;
  }

  long holderNodeId() {
    return holders.nodeIds()[holder];
  }

  /** What the index says that the present holder has. */
  long holderVersion() {
    return holders.versions()[holder];
  }

  /** The version to ask for, 0 = any. */
  long version() {
    return version;
  }

  int fromOffset() {
    return bytesReached;
  }

  /** What the present holder has been asked for. */
  int bytesLeft() {
    return holders.lengthBytes() - bytesReached;
  }

  /** Why the asker does not get it, if no other holder is left. */
  EndReason failure() {
    return failure;
  }

  /** Forgets the bytes that are here; the present holder may be asked for all of them. */
  void startOver() {
    tried[holder] = false;
    reached(EndReason.FAILED, 0, 0);
  }

  /** Remembers why and how far a pull failed. */
  void reached(final EndReason reason, final long reachedVersion, final int bytes) {
    failure = reason;
    pullId = NOT_SENT;
    holderLeft = false;
    // A pull that had all bytes and still failed has nothing to resume.
    final boolean partial = bytes > 0 && bytes < holders.lengthBytes();
    version = partial ? reachedVersion : 0;
    bytesReached = partial ? bytes : 0;
  }
}
