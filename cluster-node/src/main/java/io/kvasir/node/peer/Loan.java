package io.kvasir.node.peer;

import io.kvasir.node.peer.NeighbourMessage.Place;
import io.kvasir.node.peer.NeighbourMessage.Refusal;
import io.kvasir.node.peer.NeighbourMessage.Wanted;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.PullFailure;
import io.kvasir.transport.ServeRequest;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/** Chunks that a neighbour asked to read from this slab. Node agent only. */
final class Loan implements ServeRequest {
  private final Lending lending;
  private final NeighbourMessage.Borrow asked;
  private final BitSet lent = new BitSet();
  private List<Place> places = new ArrayList<>();
  private List<Refusal> refusals = new ArrayList<>();
  private int unanswered;
  private boolean isEnded;

  Loan(final Lending lending, final NeighbourMessage.Borrow asked) {
    this.lending = lending;
    this.asked = asked;
    this.unanswered = asked.chunks().size();
  }

  long id() {
    return asked.id();
  }

  /** The neighbour no longer reads the chunk; nothing happens if it was not lent. */
  void returned(final int chunk) {
    if (lent.get(chunk)) {
      lent.clear(chunk);
      lending.finished(this, chunk);
    }
  }

  /** The session is over and its cell void: takes everything back. */
  void end() {
    isEnded = true;
    for (int chunk = lent.nextSetBit(0); chunk >= 0; chunk = lent.nextSetBit(chunk + 1)) {
      returned(chunk);
    }
  }

  /** Whether there is nothing left to answer or to be returned. */
  boolean isOver() {
    return unanswered == 0 && lent.isEmpty();
  }

  /** Takes out what was found since the last time. */
  List<Place> takePlaces() {
    final List<Place> taken = places;
    places = new ArrayList<>();
    return taken;
  }

  /** Takes out what was refused since the last time. */
  List<Refusal> takeRefusals() {
    final List<Refusal> taken = refusals;
    refusals = new ArrayList<>();
    return taken;
  }

  @Override
  public long peerNodeId() {
    return lending.peerNodeId();
  }

  @Override
  public int namespaceTag() {
    return asked.namespaceTag();
  }

  @Override
  public int epoch() {
    return asked.epoch();
  }

  @Override
  public int size() {
    return asked.chunks().size();
  }

  @Override
  public ChunkKey key(final int chunk) {
    return asked.chunks().get(chunk).key();
  }

  @Override
  public long group(final int chunk) {
    return asked.chunks().get(chunk).group();
  }

  @Override
  public long version(final int chunk) {
    return asked.chunks().get(chunk).version();
  }

  @Override
  public void found(
      final int chunk, final MemorySegment memory, final long version, final int crc32c) {
    unanswered--;
    final Wanted wanted = asked.chunks().get(chunk);
    if (isEnded) {
      lending.finished(this, chunk);
    } else if (wanted.version() != 0 && wanted.version() != version) {
      lending.finished(this, chunk);
      refuse(chunk, PullFailure.VERSION_MISMATCH, version);
    } else if (wanted.lengthBytes() != memory.byteSize()) {
      lending.finished(this, chunk);
      refuse(chunk, PullFailure.LENGTH_MISMATCH, version);
    } else {
      lent.set(chunk);
      places.add(new Place(chunk, lending.slabOffset(wanted.key()), version, crc32c));
      lending.answered(this);
    }
  }

  @Override
  public void refused(final int chunk, final PullFailure reason) {
    unanswered--;
    refuse(chunk, reason, 0);
  }

  private void refuse(final int chunk, final PullFailure reason, final long version) {
    refusals.add(new Refusal(chunk, reason, version));
    lending.answered(this);
  }
}
