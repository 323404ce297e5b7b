package io.kvasir.node.peer;

import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.node.index.ClusterIndex;
import io.kvasir.node.store.Owner;
import io.kvasir.node.store.Store;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.PullFailure;
import io.kvasir.transport.Transport;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.agrona.collections.LongHashSet;
import org.agrona.concurrent.NanoClock;
import org.jspecify.annotations.Nullable;

/**
 * Brings chunks of other nodes into this slab for {@link AcquireOperation}s: has holders asked for
 * them, takes over what arrives, and goes on with the next holder when one fails. A key is pulled
 * once at a time; whoever else wants it follows. Node agent only.
 */
public final class PullCoordinator {
  /** Longer than in LOOKUP: whoever acquires has mostly looked up before and counts on it. */
  private static final long LOCATE_NS = TimeUnit.MILLISECONDS.toNanos(100);

  private final Store store;
  private final StoreEvents events;
  private final ClusterIndex index;
  private final Transport transport;
  private final PeerTable peers;
  private final PeerCounters counters;
  private final Executor agent;
  private final NanoClock clock;
  private final Map<ChunkKey, ChunkPull> running = new HashMap<>();
  private final List<AcquireOperation> unfinished = new ArrayList<>();
  private final List<ChunkPull> toSend = new ArrayList<>();
  private final PullRates rates;
  private final PullSender sender;

  public PullCoordinator(
      final Store store,
      final StoreEvents events,
      final ClusterIndex index,
      final Transport transport,
      final Neighbours neighbours,
      final PeerTable peers,
      final PullRates rates,
      final PeerCounters counters,
      final Executor agent,
      final NanoClock clock) {
    this.store = store;
    this.events = events;
    this.index = index;
    this.transport = transport;
    this.peers = peers;
    this.rates = rates;
    this.counters = counters;
    this.agent = agent;
    this.clock = clock;
    peers.onChange(this::leaveDeparted);
    this.sender =
        new PullSender(
            store, transport, neighbours, peers, rates, counters, agent, clock, new Sent());
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
    return sender.newPullId();
  }

  /** Sends what was begun and ends what is late. */
  public int doWork(final long nowNs) {
    int work = 0;
    if (!toSend.isEmpty()) {
      work += toSend.size();
      final List<ChunkPull> batch = List.copyOf(toSend);
      toSend.clear();
      sender.send(batch, nowNs);
    }
    work += sender.doWork(nowNs);
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
    long nearest = sender.untilTimerNs(nowNs);
    for (final AcquireOperation operation : unfinished) {
      nearest = Math.min(nearest, operation.deadlineNs() - nowNs);
    }
    return nearest;
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
        final LongHashSet ids = pull.followers.isEmpty() ? unwanted : wanted;
        ids.add(pull.pullId);
        final Hedge hedge = pull.hedge;
        if (hedge != null) {
          ids.add(hedge.pullId);
        }
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

  private void received(final ChunkPull pull, final long version, final int crc32c) {
    peers.answered(pull.holderNodeId());
    final long cookie = events.register(new Arrival(pull));
    store.commitPulled(pull.operation.owner(), pull.slot, version, crc32c, cookie);
  }

  /** What a failure says of the holder. */
  private void blame(final ChunkPull pull, final PullFailure reason, final long version) {
    switch (reason) {
      case MISSING, VERSION_MISMATCH, LENGTH_MISMATCH -> {
        peers.answered(pull.holderNodeId());
        withdrawStale(pull);
      }
      case SILENT, UNREACHABLE, PROTOCOL ->
          peers.failed(pull.holderNodeId(), pull.pullId, clock.nanoTime());
      case CORRUPT -> {
        counters.corruptPull();
        if (pull.fromOffset() == 0) {
          transport.doubt(pull.holderNodeId(), pull.key(), version);
          withdrawStale(pull);
        }
      }
      case STALE_EPOCH -> peers.answered(pull.holderNodeId());
      case OVERLOADED, DEADLINE, CANCELLED -> {
        // Of the moment, or of who asked.
      }
    }
  }

  private void failed(
      final ChunkPull pull, final PullFailure reason, final long version, final int bytesReached) {
    switch (reason) {
      case MISSING, VERSION_MISMATCH, LENGTH_MISMATCH ->
          pull.reached(EndReason.MISSING, version, 0);
      case SILENT, UNREACHABLE, OVERLOADED -> pull.reached(EndReason.FAILED, version, bytesReached);
      case PROTOCOL -> pull.reached(EndReason.FAILED, version, 0);
      case CORRUPT -> {
        if (pull.fromOffset() > 0) {
          // The bytes are of two holders: the whole from this one says whose were wrong.
          pull.startOver();
        } else {
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

  private final class Sent implements PullSender.Outcome {
    @Override
    public void received(final ChunkPull pull, final long version, final int crc32c) {
      PullCoordinator.this.received(pull, version, crc32c);
    }

    @Override
    public void blame(final ChunkPull pull, final PullFailure reason, final long version) {
      PullCoordinator.this.blame(pull, reason, version);
    }

    @Override
    public void failed(
        final ChunkPull pull,
        final PullFailure reason,
        final long version,
        final int bytesReached) {
      PullCoordinator.this.failed(pull, reason, version, bytesReached);
    }

    @Override
    public void hopeless(final ChunkPull pull) {
      giveUp(pull, pull.failure());
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
