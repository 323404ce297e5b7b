package io.kvasir.node.peer;

import io.kvasir.node.store.Store;
import io.kvasir.transport.PullChunk;
import io.kvasir.transport.PullFailure;
import io.kvasir.transport.PullListener;
import io.kvasir.transport.PullRequest;
import io.kvasir.transport.TrafficClass;
import io.kvasir.transport.Transport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.LongSupplier;
import org.agrona.concurrent.NanoClock;
import org.jspecify.annotations.Nullable;

/**
 * Asks a second holder for the next chunk of a pull when the first one lets wait longer than it
 * does 19 times out of 20 (hedged requests: Dean and Barroso, The Tail at Scale, 2013). What comes
 * first counts. If the second one wins, the first is left with all it still owes. At most one byte
 * in twenty is asked for twice. Node agent only.
 */
final class Hedges {
  /** Bytes asked for again, of all that were asked for. */
  static final double EXTRA_MAX = 0.05;

  /** A shorter wait may be this thread's own. */
  static final long WAIT_MIN_NS = 2_000_000;

  private static final int OPEN_MAX = 4;
  private static final int CHUNK_BYTES_MAX = 16 << 20;
  private static final int ALIGNMENT = 64;

  private final Store store;
  private final Transport transport;
  private final PeerTable peers;
  private final PullRates rates;
  private final HolderChoice choice;
  private final PeerCounters counters;
  private final Executor agent;
  private final NanoClock clock;
  private final LongSupplier newPullId;
  private final PullSender.Outcome outcome;
  private final List<PullBatch> watched = new ArrayList<>();
  private final ArrayDeque<MemorySegment> free = new ArrayDeque<>();
  private int open;
  private long bytesAsked;

  Hedges(
      final Store store,
      final Transport transport,
      final PeerTable peers,
      final PullRates rates,
      final HolderChoice choice,
      final PeerCounters counters,
      final Executor agent,
      final NanoClock clock,
      final LongSupplier newPullId,
      final PullSender.Outcome outcome) {
    this.store = store;
    this.transport = transport;
    this.peers = peers;
    this.rates = rates;
    this.choice = choice;
    this.counters = counters;
    this.agent = agent;
    this.clock = clock;
    this.newPullId = newPullId;
    this.outcome = outcome;
  }

  /** A peer was asked. */
  void asked(final PullBatch batch) {
    bytesAsked += batch.pulls.stream().mapToLong(ChunkPull::bytesLeft).sum();
    watched.add(batch);
  }

  /** Asks a second holder where the first one is late. */
  int doWork(final long nowNs) {
    int work = 0;
    for (int i = watched.size() - 1; i >= 0; i--) {
      final PullBatch batch = watched.get(i);
      if (batch.open.isEmpty() || batch.isHedged) {
        watched.remove(i);
      } else if (untilLateNs(batch, nowNs) <= 0) {
        batch.isHedged = true;
        work += hedge(batch, batch.firstOpen(), nowNs) ? 1 : 0;
      }
    }
    return work;
  }

  /** Nanoseconds until a peer is late. */
  long untilTimerNs(final long nowNs) {
    long nearestNs = Long.MAX_VALUE;
    for (final PullBatch batch : watched) {
      if (!batch.isHedged && !batch.open.isEmpty()) {
        nearestNs = Math.min(nearestNs, Math.max(0, untilLateNs(batch, nowNs)));
      }
    }
    return nearestNs;
  }

  private long untilLateNs(final PullBatch batch, final long nowNs) {
    final long waitNs = batch.transfer.usualWaitNs();
    return waitNs == PullRates.UNKNOWN_NS
        ? Long.MAX_VALUE
        : Math.max(WAIT_MIN_NS, waitNs) - (nowNs - batch.transfer.progressNs());
  }

  private boolean hedge(final PullBatch batch, final ChunkPull pull, final long nowNs) {
    final int bytes = pull.holders.lengthBytes();
    final int holder = pull.otherHolder(choice, nowNs);
    if (holder == HolderChoice.NONE
        || pull.hedge != null
        || pull.operation.isEnded()
        || open == OPEN_MAX
        || bytes > CHUNK_BYTES_MAX
        || counters.bytesHedged() + bytes > EXTRA_MAX * bytesAsked) {
      return false;
    }
    final long nodeId = pull.holders.nodeIds()[holder];
    final String endpoint = peers.endpoint(nodeId, nowNs);
    final MemorySegment buffer = buffer();
    final long pullId = newPullId.getAsLong();
    final Hedge hedge =
        new Hedge(pullId, holder, batch, pull, buffer, rates.begin(nodeId, bytes, nowNs));
    final Space space = pull.operation.run().space();
    final boolean isTaken =
        endpoint != null
            && transport.pull(
                new PullRequest(
                    TrafficClass.DEMAND,
                    pullId,
                    nodeId,
                    endpoint,
                    List.of(new PullChunk(pull.key(), pull.group(), hedge.memory, bytes, 0, 0)),
                    space.tag(),
                    space.epoch(),
                    pull.operation.deadlineNs(),
                    new Race(hedge)));
    if (!isTaken) {
      hedge.transfer.lost(bytes);
      free.add(buffer);
      return false;
    }
    open++;
    pull.hedge = hedge;
    counters.hedged(bytes);
    return true;
  }

  /** At most as many as may be open, each for the longest chunk; kept for the next. */
  private MemorySegment buffer() {
    final MemorySegment kept = free.poll();
    return kept != null ? kept : Arena.ofAuto().allocate(CHUNK_BYTES_MAX, ALIGNMENT);
  }

  /** The first holder has delivered. */
  void received(final ChunkPull pull) {
    leave(pull);
  }

  /**
   * The first holder has failed.
   *
   * @param onFailure what is to be done about it
   * @return whether it is not to be done now: the second holder may deliver yet, or has
   */
  boolean failed(final ChunkPull pull, final PullFailure reason, final Runnable onFailure) {
    final Hedge hedge = pull.hedge;
    if (hedge == null) {
      return false;
    }
    if (hedge.isHere) {
      take(hedge, pull);
      return true;
    }
    final boolean isUnwanted = reason == PullFailure.CANCELLED && !pull.holderLeft;
    if (isUnwanted || reason == PullFailure.DEADLINE) {
      leave(pull);
      return false;
    }
    hedge.onFailure = onFailure;
    return true;
  }

  private void leave(final ChunkPull pull) {
    final Hedge hedge = pull.hedge;
    if (hedge != null) {
      pull.hedge = null;
      hedge.pull = null;
      if (hedge.isHere) {
        free.add(hedge.buffer);
      } else {
        transport.cancel(hedge.pullId);
      }
    }
  }

  private void arrived(final Hedge hedge, final long version, final int crc32c) {
    open--;
    hedge.transfer.arrived(hedge.memory.byteSize(), clock.nanoTime());
    final ChunkPull pull = hedge.pull;
    if (pull == null) {
      free.add(hedge.buffer);
      return;
    }
    hedge.version = version;
    hedge.crc32c = crc32c;
    if (hedge.onFailure != null) {
      take(hedge, pull);
      return;
    }
    hedge.isHere = true;
    final PullBatch batch = hedge.batch;
    if (!othersHoldAll(batch)) {
      return; // what the first holder alone has is worth waiting for
    }
    // The lane still writes for the first holder; when it has stopped it says so for each chunk.
    batch.open.stream().mapToObj(batch.pulls::get).forEach(each -> each.holderLeft = true);
    transport.cancel(batch.pullId);
  }

  private boolean othersHoldAll(final PullBatch batch) {
    final long nowNs = clock.nanoTime();
    return batch.open.stream()
        .mapToObj(batch.pulls::get)
        .allMatch(
            each -> each.hedge != null || each.otherHolder(choice, nowNs) != HolderChoice.NONE);
  }

  private void take(final Hedge hedge, final ChunkPull pull) {
    counters.hedgeWon();
    pull.hedge = null;
    hedge.pull = null;
    pull.deliveredBy(hedge.holder);
    MemorySegment.copy(hedge.memory, 0, store.memory(pull.slot), 0, hedge.memory.byteSize());
    free.add(hedge.buffer);
    outcome.received(pull, hedge.version, hedge.crc32c);
  }

  private void lost(final Hedge hedge, final PullFailure reason, final long version) {
    open--;
    free.add(hedge.buffer);
    hedge.transfer.lost(hedge.memory.byteSize());
    final ChunkPull pull = hedge.pull;
    if (pull == null) {
      return;
    }
    pull.hedge = null;
    if (reason == PullFailure.CORRUPT) {
      counters.corruptPull();
      transport.doubt(pull.holders.nodeIds()[hedge.holder], pull.key(), version);
    }
    final @Nullable Runnable onFailure = hedge.onFailure;
    if (onFailure != null) {
      onFailure.run();
    }
  }

  /** Brings the outcome of a race from the lane to the node agent. */
  private final class Race implements PullListener {
    private final Hedge hedge;

    private Race(final Hedge hedge) {
      this.hedge = hedge;
    }

    @Override
    public void received(final int chunk, final long version, final int crc32c) {
      agent.execute(() -> arrived(hedge, version, crc32c));
    }

    @Override
    public void failed(
        final int chunk, final PullFailure reason, final long version, final int bytesReached) {
      agent.execute(() -> lost(hedge, reason, version));
    }
  }
}
