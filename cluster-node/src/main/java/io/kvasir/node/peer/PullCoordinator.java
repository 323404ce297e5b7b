package io.kvasir.node.peer;

import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.node.index.ClusterIndex;
import io.kvasir.node.index.Holders;
import io.kvasir.node.store.Owner;
import io.kvasir.node.store.Store;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.PullChunk;
import io.kvasir.transport.PullFailure;
import io.kvasir.transport.PullListener;
import io.kvasir.transport.PullRequest;
import io.kvasir.transport.Transport;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.agrona.collections.Long2LongHashMap;
import org.agrona.collections.LongHashSet;
import org.agrona.concurrent.NanoClock;
import org.jspecify.annotations.Nullable;

/**
 * Brings chunks of other nodes into this slab for {@link AcquireOperation}s: batches per holder,
 * checks what arrives, and goes on with the next holder when one fails. A key is pulled once at a
 * time; whoever else wants it follows. Node agent only.
 */
public final class PullCoordinator {
  /** Longer than in LOOKUP: whoever acquires has mostly looked up before and counts on it. */
  private static final long LOCATE_NS = TimeUnit.MILLISECONDS.toNanos(100);

  private final Store store;
  private final StoreEvents events;
  private final ClusterIndex index;
  private final Transport transport;
  private final Neighbours neighbours;
  private final PeerTable peers;
  private final PeerCounters counters;
  private final Executor agent;
  private final NanoClock clock;
  private final Map<ChunkKey, ChunkPull> running = new HashMap<>();
  private final List<AcquireOperation> unfinished = new ArrayList<>();
  private final List<ChunkPull> toSend = new ArrayList<>();
  private final PullRates rates = new PullRates();
  private long lastPullId;

  public PullCoordinator(
      final Store store,
      final StoreEvents events,
      final ClusterIndex index,
      final Transport transport,
      final Neighbours neighbours,
      final PeerTable peers,
      final PeerCounters counters,
      final Executor agent,
      final NanoClock clock) {
    this.store = store;
    this.events = events;
    this.index = index;
    this.transport = transport;
    this.neighbours = neighbours;
    this.peers = peers;
    this.counters = counters;
    this.agent = agent;
    this.clock = clock;
    peers.onChange(this::leaveDeparted);
    neighbours.connect(new Borrowed());
  }

  /**
   * Begins to make chunks resident; the listener may be called before this returns.
   *
   * @param id the asker's name for the operation
   */
  public AcquireOperation acquire(
      final long id,
      final Owner owner,
      final ChunkRun run,
      final long deadlineNs,
      final AcquireListener listener) {
    final AcquireOperation operation =
        new AcquireOperation(this, id, owner, run, deadlineNs, listener);
    unfinished.add(operation);
    operation.start();
    return operation;
  }

  /** As {@link #acquire}, of chunks that a hand-off will bring; it begins when that is known. */
  AcquireOperation expect(
      final long id,
      final Owner owner,
      final ChunkRun run,
      final long deadlineNs,
      final AcquireListener listener) {
    final AcquireOperation operation =
        new AcquireOperation(this, id, owner, run, deadlineNs, listener);
    unfinished.add(operation);
    return operation;
  }

  /** An id for a pull that someone else starts. */
  long newPullId() {
    return ++lastPullId;
  }

  /** Sends what was begun and ends what is late. */
  public int doWork(final long nowNs) {
    int work = 0;
    if (!toSend.isEmpty()) {
      work += toSend.size();
      send(nowNs);
    }
    for (int i = unfinished.size() - 1; i >= 0; i--) {
      final AcquireOperation operation = unfinished.get(i);
      if (operation.deadlineNs() - nowNs <= 0) {
        operation.end(EndReason.DEADLINE);
        work++;
      }
    }
    return work;
  }

  /** Nanoseconds until {@link #doWork} has to look at a deadline again. */
  public long untilDeadlineNs(final long nowNs) {
    long nearest = Long.MAX_VALUE;
    for (final AcquireOperation operation : unfinished) {
      nearest = Math.min(nearest, operation.deadlineNs() - nowNs);
    }
    return nearest;
  }

  /**
   * What it would take now to pull these chunks, by what pulls from their holders took of late.
   *
   * @param holders of each chunk that is to be pulled
   * @return 0 if it is not known: from one of them nothing has come yet
   */
  public long estimateNs(final List<Holders> holders) {
    final Long2LongHashMap bytesOf = new Long2LongHashMap(0);
    for (final Holders chunk : holders) {
      final long nodeId = chunk.nodeIds()[0];
      bytesOf.put(nodeId, bytesOf.get(nodeId) + chunk.lengthBytes());
    }
    long longestNs = 0;
    for (final long nodeId : bytesOf.keySet()) {
      final long estimateNs = rates.estimateNs(nodeId, bytesOf.get(nodeId));
      if (estimateNs == PullRates.UNKNOWN_NS) {
        return 0;
      }
      longestNs = Math.max(longestNs, estimateNs);
    }
    return longestNs;
  }

  /** Operations that have not ended. */
  public int unfinished() {
    return unfinished.size();
  }

  /** Chunks on their way from peers. */
  public int running() {
    return running.size();
  }

  Store store() {
    return store;
  }

  StoreEvents events() {
    return events;
  }

  PeerCounters counters() {
    return counters;
  }

  void locate(final AcquireOperation operation, final int[] absent) {
    final ChunkKey[] keys = new ChunkKey[absent.length];
    final long[] groups = new long[absent.length];
    for (int i = 0; i < absent.length; i++) {
      keys[i] = operation.run().key(absent[i]);
      groups[i] = operation.run().group(absent[i]);
    }
    index.lookup(
        keys,
        groups,
        locateDeadlineNs(operation),
        (perKey, _) -> agent.execute(() -> operation.located(absent, perKey)));
  }

  private long locateDeadlineNs(final AcquireOperation operation) {
    final long nowNs = clock.nanoTime();
    return nowNs + Math.min(LOCATE_NS, operation.deadlineNs() - nowNs);
  }

  @Nullable ChunkPull running(final ChunkKey key) {
    return running.get(key);
  }

  void begin(final ChunkPull pull) {
    running.put(pull.key(), pull);
    toSend.add(pull);
  }

  void ended(final AcquireOperation operation, final EndReason reason, final int missedChunks) {
    unfinished.remove(operation);
    counters.missed(missedChunks);
    // What is still on its way comes to the slab all the same, for the next who asks; only an asker
    // who leaves takes it along.
    if (reason == EndReason.RELEASED) {
      cancel(operation);
    }
  }

  private void cancel(final AcquireOperation operation) {
    toSend.removeIf(
        pull -> {
          final boolean unwanted = pull.operation == operation && pull.followers.isEmpty();
          if (unwanted) {
            running.remove(pull.key());
            store.abort(operation.owner(), pull.slot);
          }
          return unwanted;
        });
    final LongHashSet unwanted = new LongHashSet();
    final LongHashSet wanted = new LongHashSet();
    for (final ChunkPull pull : running.values()) {
      if (pull.operation == operation && pull.isBorrowed && pull.followers.isEmpty()) {
        pull.isUnwanted = true;
      } else if (pull.operation == operation && pull.pullId != ChunkPull.NOT_SENT) {
        (pull.followers.isEmpty() ? unwanted : wanted).add(pull.pullId);
      }
    }
    unwanted.removeAll(wanted);
    unwanted.forEachLong(transport::cancel);
  }

  /** Pulls from a holder that has left the cluster need not wait until it proves silent. */
  private void leaveDeparted() {
    rates.retain(peers::contains);
    final LongHashSet vain = new LongHashSet();
    for (final ChunkPull pull : running.values()) {
      if (pull.pullId != ChunkPull.NOT_SENT && !peers.contains(pull.holderNodeId())) {
        pull.holderLeft = true;
        vain.add(pull.pullId);
      }
    }
    vain.forEachLong(transport::cancel);
  }

  /** Groups what waits by operation and holder, in order, and hands it to the transport. */
  private void send(final long nowNs) {
    record Batch(AcquireOperation operation, long nodeId) {}
    final Map<Batch, List<ChunkPull>> batches = new LinkedHashMap<>();
    final List<ChunkPull> hopeless = new ArrayList<>();
    long preferred = 0;
    for (final ChunkPull pull : toSend) {
      if (pull.chooseHolder(peers, preferred, nowNs)) {
        preferred = pull.holderNodeId();
        batches
            .computeIfAbsent(new Batch(pull.operation, preferred), _ -> new ArrayList<>())
            .add(pull);
      } else {
        hopeless.add(pull);
      }
    }
    toSend.clear();
    batches.forEach(
        (batch, pulls) -> {
          for (int from = 0; from < pulls.size(); from += PullRequest.CHUNKS_MAX) {
            final int to = Math.min(pulls.size(), from + PullRequest.CHUNKS_MAX);
            send(batch.operation(), batch.nodeId(), pulls.subList(from, to), nowNs);
          }
        });
    hopeless.forEach(pull -> giveUp(pull, pull.failure()));
  }

  /** From the slab of a node of this host if it can be, else over the network. */
  private void send(
      final AcquireOperation operation,
      final long nodeId,
      final List<ChunkPull> pulls,
      final long nowNs) {
    final boolean isWhole = pulls.stream().allMatch(pull -> pull.fromOffset() == 0);
    if (!isWhole || !neighbours.borrow(nodeId, pulls, nowNs)) {
      transfer(operation, nodeId, pulls, nowNs);
    }
  }

  private void transfer(
      final AcquireOperation operation,
      final long nodeId,
      final List<ChunkPull> pulls,
      final long nowNs) {
    final long pullId = ++lastPullId;
    final List<PullChunk> chunks = new ArrayList<>(pulls.size());
    long bytes = 0;
    for (final ChunkPull pull : pulls) {
      pull.pullId = pullId;
      bytes += pull.bytesLeft();
      chunks.add(
          new PullChunk(
              pull.key(),
              pull.group(),
              store.memory(pull.slot),
              operation.run().space().chunkBytes(),
              pull.version(),
              pull.fromOffset()));
    }
    final Outcome outcome = new Outcome(List.copyOf(pulls), rates.begin(nodeId, bytes, nowNs));
    final PullRequest request =
        new PullRequest(
            pullId,
            nodeId,
            Objects.requireNonNull(peers.endpoint(nodeId, nowNs), "a chosen holder is a member"),
            chunks,
            operation.run().space().tag(),
            operation.run().space().epoch(),
            operation.deadlineNs(),
            outcome);
    if (!transport.pull(request)) {
      outcome.pulls.forEach(pull -> outcome.failed(pull, PullFailure.OVERLOADED, 0, 0));
    }
  }

  private void received(final ChunkPull pull, final long version, final int crc32c) {
    peers.answered(pull.holderNodeId());
    final long cookie = events.register(new Arrival(pull));
    store.commitPulled(pull.operation.owner(), pull.slot, version, crc32c, cookie);
  }

  private void failed(
      final ChunkPull pull, final PullFailure reason, final long version, final int bytesReached) {
    switch (reason) {
      case MISSING, VERSION_MISMATCH, LENGTH_MISMATCH -> {
        withdrawStale(pull);
        pull.reached(EndReason.MISSING, version, 0);
      }
      case SILENT, UNREACHABLE, PROTOCOL -> {
        peers.avoid(pull.holderNodeId(), clock.nanoTime());
        pull.reached(EndReason.FAILED, version, reason == PullFailure.PROTOCOL ? 0 : bytesReached);
      }
      case OVERLOADED -> pull.reached(EndReason.FAILED, version, bytesReached);
      case CORRUPT -> {
        counters.corruptPull();
        if (pull.fromOffset() > 0) {
          // The bytes are of two holders: the whole from this one says whose were wrong.
          pull.startOver();
        } else {
          transport.doubt(pull.holderNodeId(), pull.key(), version);
          withdrawStale(pull);
          pull.reached(EndReason.FAILED, 0, 0);
        }
      }
      case DEADLINE -> {
        giveUp(pull, EndReason.DEADLINE);
        return;
      }
      case CANCELLED -> {
        if (!pull.holderLeft) {
          giveUp(pull, EndReason.FAILED);
          return;
        }
        pull.reached(EndReason.FAILED, version, bytesReached);
      }
      case STALE_EPOCH -> {
        giveUp(pull, EndReason.FAILED);
        return;
      }
    }
    retry(pull);
  }

  private void retry(final ChunkPull pull) {
    if (pull.operation.isEnded() && pull.followers.isEmpty()) {
      giveUp(pull, pull.failure());
    } else {
      counters.failedOver();
      toSend.add(pull);
    }
  }

  /** The index named a holder that does not have these bytes. */
  private void withdrawStale(final ChunkPull pull) {
    counters.staleEntry();
    index.withdrawStale(pull.key(), pull.group(), pull.holderNodeId(), pull.holderVersion());
  }

  private void giveUp(final ChunkPull pull, final EndReason reason) {
    running.remove(pull.key());
    store.abort(pull.operation.owner(), pull.slot);
    pull.operation.lost(pull.index, reason);
    for (final ChunkPull.Follower follower : pull.followers) {
      follower.operation().followInVain(follower.index());
    }
  }

  /** What became of chunks that a node of this host was to lend. */
  private final class Borrowed implements Borrowing.Outcome {
    @Override
    public void received(final ChunkPull pull, final long version, final int crc32c) {
      PullCoordinator.this.received(pull, version, crc32c);
    }

    @Override
    public void failed(final ChunkPull pull, final PullFailure reason, final long version) {
      pull.isBorrowed = false;
      PullCoordinator.this.failed(pull, reason, version, 0);
    }

    @Override
    public void unanswered(final long peerNodeId, final List<ChunkPull> pulls) {
      final long nowNs = clock.nanoTime();
      final boolean isThere = peers.endpoint(peerNodeId, nowNs) != null;
      final List<ChunkPull> wanted = new ArrayList<>(pulls.size());
      for (final ChunkPull pull : pulls) {
        if (isThere && !pull.isUnwanted) {
          pull.isBorrowed = false;
          wanted.add(pull);
        } else {
          failed(pull, pull.isUnwanted ? PullFailure.CANCELLED : PullFailure.UNREACHABLE, 0);
        }
      }
      if (!wanted.isEmpty()) {
        transfer(wanted.getFirst().operation, peerNodeId, wanted, nowNs);
      }
    }
  }

  /** Brings the outcome of a batch from the lane to the node agent. */
  private final class Outcome implements PullListener {
    private final List<ChunkPull> pulls;
    private final PullRates.Transfer transfer;

    private Outcome(final List<ChunkPull> pulls, final PullRates.Transfer transfer) {
      this.pulls = pulls;
      this.transfer = transfer;
    }

    @Override
    public void received(final int chunk, final long version, final int crc32c) {
      agent.execute(
          () -> {
            final ChunkPull pull = pulls.get(chunk);
            transfer.arrived(pull.bytesLeft(), clock.nanoTime());
            PullCoordinator.this.received(pull, version, crc32c);
          });
    }

    @Override
    public void failed(
        final int chunk, final PullFailure reason, final long version, final int bytesReached) {
      agent.execute(() -> failed(pulls.get(chunk), reason, version, bytesReached));
    }

    private void failed(
        final ChunkPull pull,
        final PullFailure reason,
        final long version,
        final int bytesReached) {
      transfer.lost(pull.bytesLeft());
      PullCoordinator.this.failed(pull, reason, version, bytesReached);
    }
  }

  /** Told when the chunk is visible. */
  private final class Arrival implements StoreEvents.Waiter {
    private final ChunkPull pull;

    private Arrival(final ChunkPull pull) {
      this.pull = pull;
    }

    @Override
    public void committed(final int slot, final long version) {
      running.remove(pull.key());
      if (pull.isBorrowed) {
        counters.copied(pull.holders.lengthBytes());
      } else {
        counters.pulled(pull.holders.lengthBytes());
      }
      pull.operation.arrived(pull.index, slot);
      for (final ChunkPull.Follower follower : pull.followers) {
        follower.operation().arrived(follower.index(), slot);
      }
    }

    @Override
    public void commitFailed(final int slot, final int code) {
      giveUp(pull, EndReason.NO_SPACE);
    }
  }
}
