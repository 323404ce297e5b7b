package io.kvasir.node.peer;

import io.kvasir.node.peer.NeighbourMessage.Ask;
import io.kvasir.node.peer.NeighbourMessage.Borrow;
import io.kvasir.node.peer.NeighbourMessage.Done;
import io.kvasir.node.peer.NeighbourMessage.Lent;
import io.kvasir.node.peer.NeighbourMessage.Offer;
import io.kvasir.node.peer.NeighbourMessage.Place;
import io.kvasir.node.peer.NeighbourMessage.Proof;
import io.kvasir.node.peer.NeighbourMessage.Proven;
import io.kvasir.node.peer.NeighbourMessage.Refusal;
import io.kvasir.node.peer.NeighbourMessage.Refused;
import io.kvasir.node.peer.NeighbourMessage.Returned;
import io.kvasir.node.peer.NeighbourMessage.Wanted;
import io.kvasir.node.store.ForeignSlab;
import io.kvasir.node.store.SlabShare;
import io.kvasir.node.store.Store;
import io.kvasir.transport.PullFailure;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.agrona.collections.Long2ObjectHashMap;
import org.agrona.concurrent.NanoClock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The reader's side of one neighbour, for one session: asks to see its slab, maps it, and then
 * copies chunks that the neighbour pins. What the neighbour does not answer about in time is handed
 * back, to be pulled over the network. Node agent only.
 */
final class Borrowing {
  /** An answer takes a fraction of a millisecond; the network has its own way to judge silence. */
  static final long ANSWER_NS = TimeUnit.MILLISECONDS.toNanos(150);

  /** While more is being copied, so many chunks are returned together. */
  private static final int RETURNS_MIN = 32;

  private static final Logger LOG = LoggerFactory.getLogger(Borrowing.class);

  /** What becomes of chunks that were to be borrowed. */
  interface Outcome {
    /** The chunk is in its slot, and its checksum is right. */
    void received(ChunkPull pull, long version, int crc32c);

    /** This neighbour does not deliver it. */
    void failed(ChunkPull pull, PullFailure reason, long version);

    /** The neighbour said nothing about these. */
    void unanswered(long peerNodeId, List<ChunkPull> pulls);
  }

  /** What the sides of all neighbours share. */
  record Office(
      long selfNodeId,
      Store store,
      CopyWorkers workers,
      PeerCounters counters,
      NanoClock clock,
      int bytesMax) {}

  private final long peerNodeId;
  private final long nonce;
  private final Office office;
  private final Outcome outcome;
  private final Consumer<NeighbourMessage> send;
  private final Long2ObjectHashMap<BorrowBatch> unanswered = new Long2ObjectHashMap<>();
  private List<Done> returns = new ArrayList<>();
  private @Nullable ForeignSlab slab;
  private boolean isOpening;
  private boolean isProven;
  private boolean isQuiet;
  private boolean isEnded;
  private int copies;
  private long lastId;

  /**
   * @param nonce random, not 0
   */
  Borrowing(
      final long peerNodeId,
      final long nonce,
      final Office office,
      final Outcome outcome,
      final Consumer<NeighbourMessage> send) {
    this.peerNodeId = peerNodeId;
    this.nonce = nonce;
    this.office = office;
    this.outcome = outcome;
    this.send = send;
    this.lastId = nonce;
  }

  /** Asks to see the slab. */
  void begin() {
    final SlabShare own = office.store.share();
    send.accept(new Ask(nonce, own.uid(), own.hostProof(nonce, office.selfNodeId)));
  }

  /** The neighbour says where its slab is. */
  void offered(final Offer offer) {
    if (offer.nonce() == nonce && !isOpening && !isEnded) {
      isOpening = true;
      office.workers.open(office.store.share(), offer, this::opened, this::notOpened);
    }
  }

  private void opened(final ForeignSlab opened) {
    slab = opened;
    if (isEnded) {
      closeIfUnused();
    } else {
      send.accept(new Proof(nonce, opened.proof()));
    }
  }

  private void notOpened(final String reason) {
    office.counters.neighbourRefused();
    LOG.info(
        "KVA-0480 slab of a node of this host not used, chunks come over the network -"
            + " peer={} reason=\"{}\"",
        Long.toHexString(peerNodeId),
        reason);
  }

  /** The neighbour accepted the proof. */
  void proven(final Proven accepted) {
    isProven |= accepted.nonce() == nonce && slab != null;
  }

  /** Whether chunks can be borrowed now. */
  boolean isOpen() {
    return isProven && !isEnded;
  }

  /** Asks for chunks; false if they cannot be had like this now. */
  boolean borrow(final List<ChunkPull> pulls, final long nowNs) {
    if (!isOpen() || isQuiet) {
      return false;
    }
    final int batchMax =
        (office.bytesMax - NeighbourMessage.BORROW_BYTES) / NeighbourMessage.WANTED_BYTES;
    for (int from = 0; from < pulls.size(); from += batchMax) {
      ask(pulls.subList(from, Math.min(pulls.size(), from + batchMax)), nowNs);
    }
    return true;
  }

  private void ask(final List<ChunkPull> pulls, final long nowNs) {
    final AcquireOperation operation = pulls.getFirst().operation;
    final BorrowBatch batch = new BorrowBatch(++lastId, operation.deadlineNs(), pulls, nowNs);
    final List<Wanted> wanted = new ArrayList<>(pulls.size());
    for (final ChunkPull pull : pulls) {
      pull.isBorrowed = true;
      wanted.add(
          new Wanted(
              pull.key(), pull.group(), pull.version(), operation.run().space().chunkBytes()));
    }
    unanswered.put(batch.id, batch);
    send.accept(
        new Borrow(
            batch.id, operation.run().space().tag(), operation.run().space().epoch(), wanted));
  }

  /** The neighbour pinned these. */
  void lent(final Lent lent, final long nowNs) {
    isQuiet = false;
    final BorrowBatch batch = unanswered.get(lent.id());
    for (final Place place : lent.places()) {
      if (batch != null && slab != null && batch.answered(place.chunk(), nowNs)) {
        copies++;
        final ChunkPull pull = batch.pull(place.chunk());
        office.workers.copy(
            new SlabCopy(batch, place, slab, office.store.memory(pull.slot), office.clock),
            this::copied);
      } else {
        returns.add(new Done(lent.id(), place.chunk()));
      }
    }
    forgetIfAnswered(batch);
  }

  /** These are not lent. */
  void refused(final Refused refused, final long nowNs) {
    isQuiet = false;
    final BorrowBatch batch = unanswered.get(refused.id());
    for (final Refusal refusal : refused.refusals()) {
      if (batch != null && batch.answered(refusal.chunk(), nowNs)) {
        outcome.failed(batch.pull(refusal.chunk()), refusal.reason(), refusal.version());
      }
    }
    forgetIfAnswered(batch);
  }

  private void forgetIfAnswered(final @Nullable BorrowBatch batch) {
    if (batch != null && batch.isAnswered()) {
      unanswered.remove(batch.id);
    }
  }

  private void copied(final SlabCopy copy) {
    copies--;
    returns.add(new Done(copy.batch.id, copy.place.chunk()));
    final PullFailure failure = copy.failure();
    if (failure == null) {
      outcome.received(copy.pull(), copy.place.version(), copy.place.crc32c());
    } else {
      outcome.failed(copy.pull(), failure, copy.place.version());
    }
    closeIfUnused();
  }

  /** Returns what was read, and stops to wait for what is not answered. */
  int doWork(final long nowNs) {
    int work = 0;
    // Not one by one: each would wake two threads of the owner, which may be copying as well.
    if (!returns.isEmpty() && (copies == 0 || returns.size() >= RETURNS_MIN)) {
      work += returns.size();
      final List<Done> all = returns;
      returns = new ArrayList<>();
      final int max = (office.bytesMax - 1) / NeighbourMessage.DONE_BYTES;
      for (int from = 0; from < all.size(); from += max) {
        send.accept(new Returned(all.subList(from, Math.min(all.size(), from + max))));
      }
    }
    if (untilTimerNs(nowNs) <= 0) {
      isQuiet = true;
      work++;
      giveUp();
    }
    return work;
  }

  /** Nanoseconds until an answer is late. */
  long untilTimerNs(final long nowNs) {
    long silentNs = Long.MIN_VALUE;
    for (final BorrowBatch batch : unanswered.values()) {
      silentNs = Math.max(silentNs, batch.silentNs(nowNs));
    }
    return unanswered.isEmpty() ? Long.MAX_VALUE : ANSWER_NS - silentNs;
  }

  private void giveUp() {
    final List<BorrowBatch> late = new ArrayList<>(unanswered.values());
    unanswered.clear();
    for (final BorrowBatch batch : late) {
      outcome.unanswered(peerNodeId, batch.takeUnanswered());
    }
  }

  /** The session is over: what is being copied comes to its end, the rest is handed back. */
  void end() {
    isEnded = true;
    returns.clear();
    giveUp();
    closeIfUnused();
  }

  private void closeIfUnused() {
    final ForeignSlab unused = slab;
    if (isEnded && copies == 0 && unused != null) {
      slab = null;
      office.workers.close(unused);
    }
  }
}
