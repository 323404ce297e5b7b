package io.kvasir.node.peer;

import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.node.index.Holders;
import io.kvasir.placement.ChunkKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One chunk on its way from a peer into a reserved slot: which holders are left, and how far the
 * bytes have come. Node agent only.
 */
final class ChunkPull {
  static final long NOT_SENT = 0;

  /** Another operation that waits for the same chunk. */
  record Follower(AcquireOperation operation, int index) {}

  final AcquireOperation operation;
  final int index;
  final int slot;
  final Holders holders;
  final List<Follower> followers = new ArrayList<>(0);
  long pullId = NOT_SENT;

  /** Of the holder that was asked last; null before. */
  PullRates.@Nullable Transfer transfer;

  /** Its holder was asked to lend it, as a node of this host, not to send it. */
  boolean isBorrowed;

  /** Nobody waits for what is being borrowed; read by the copy workers. */
  volatile boolean isUnwanted;

  /** A second holder that was asked for it. */
  @Nullable Hedge hedge;

  /** The pull was cancelled because its holder is not asked any more; the chunk is still wanted. */
  boolean holderLeft;

  private final boolean[] tried;
  private int holder = HolderChoice.NONE;
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
   * Chooses the next holder: one that has the version whose bytes are already here, else any.
   *
   * @return false if none is left
   */
  boolean chooseHolder(final HolderChoice choice, final long preferredNodeId, final long nowNs) {
    int next = HolderChoice.NONE;
    if (bytesReached > 0) {
      next = choice.choose(holders, key(), preferredNodeId, version, tried, nowNs);
    }
    if (next == HolderChoice.NONE) {
      version = 0;
      bytesReached = 0;
      next = choice.choose(holders, key(), preferredNodeId, 0, tried, nowNs);
    }
    holder = next;
    if (next == HolderChoice.NONE) {
      return false;
    }
    tried[next] = true;
    return true;
  }

  /** Another holder than those that were asked, or {@link HolderChoice#NONE}. */
  int otherHolder(final HolderChoice choice, final long nowNs) {
    return choice.choose(holders, key(), 0, 0, tried, nowNs);
  }

  /** Another holder than the one asked first has delivered it. */
  void deliveredBy(final int other) {
    holder = other;
    tried[other] = true;
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

  PullRates.Transfer transfer() {
    return Objects.requireNonNull(transfer, "asked of nobody yet");
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
