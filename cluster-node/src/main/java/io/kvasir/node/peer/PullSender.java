package io.kvasir.node.peer;

import io.kvasir.node.store.Store;
import io.kvasir.transport.PullChunk;
import io.kvasir.transport.PullFailure;
import io.kvasir.transport.PullListener;
import io.kvasir.transport.PullRequest;
import io.kvasir.transport.TrafficClass;
import io.kvasir.transport.Transport;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executor;
import org.agrona.concurrent.NanoClock;

/**
 * Asks holders for chunks, in batches: one of this host by its slab if it can be, the others over
 * the network. Brings what became of each chunk to the node agent, and tells {@link PullRates}.
 * Node agent only.
 */
final class PullSender {
  /** What becomes of a chunk that a holder was asked for. */
  interface Outcome {
    /** The bytes are in the slot, and their checksum is right. */
    void received(ChunkPull pull, long version, int crc32c);

    /** What that says of the holder; before {@link #failed}, which may come later. */
    void blame(ChunkPull pull, PullFailure reason, long version);

    /** This holder does not deliver it. */
    void failed(ChunkPull pull, PullFailure reason, long version, int bytesReached);

    /** There is no holder left to ask. */
    void hopeless(ChunkPull pull);
  }

  private final Store store;
  private final Transport transport;
  private final Neighbours neighbours;
  private final PeerTable peers;
  private final PullRates rates;
  private final HolderChoice choice;
  private final Executor agent;
  private final NanoClock clock;
  private final Outcome outcome;
  private final Hedges hedges;
  private long lastPullId;

  PullSender(
      final Store store,
      final Transport transport,
      final Neighbours neighbours,
      final PeerTable peers,
      final PullRates rates,
      final PeerCounters counters,
      final Executor agent,
      final NanoClock clock,
      final Outcome outcome) {
    this.store = store;
    this.transport = transport;
    this.neighbours = neighbours;
    this.peers = peers;
    this.rates = rates;
    this.choice = new HolderChoice(peers, rates);
    this.agent = agent;
    this.clock = clock;
    this.outcome = outcome;
    this.hedges =
        new Hedges(
            store,
            transport,
            peers,
            rates,
            choice,
            counters,
            agent,
            clock,
            this::newPullId,
            outcome);
    neighbours.connect(new Borrowed());
  }

  /** An id for a pull that someone else starts. */
  long newPullId() {
    return ++lastPullId;
  }

  /** Asks other holders where the first one is late. */
  int doWork(final long nowNs) {
    return hedges.doWork(nowNs);
  }

  /** Nanoseconds until one is late. */
  long untilTimerNs(final long nowNs) {
    return hedges.untilTimerNs(nowNs);
  }

  /** Groups the chunks by operation and holder, in order, and asks for them. */
  void send(final List<ChunkPull> toSend, final long nowNs) {
    record Batch(AcquireOperation operation, long nodeId) {}
    final Map<Batch, List<ChunkPull>> batches = new LinkedHashMap<>();
    final List<ChunkPull> hopeless = new ArrayList<>();
    long preferred = 0;
    for (final ChunkPull pull : toSend) {
      if (pull.chooseHolder(choice, preferred, nowNs)) {
        preferred = pull.holderNodeId();
        batches
            .computeIfAbsent(new Batch(pull.operation, preferred), _ -> new ArrayList<>())
            .add(pull);
      } else {
        hopeless.add(pull);
      }
    }
    batches.forEach(
        (batch, pulls) -> {
          for (int from = 0; from < pulls.size(); from += PullRequest.CHUNKS_MAX) {
            final int to = Math.min(pulls.size(), from + PullRequest.CHUNKS_MAX);
            send(batch.operation(), batch.nodeId(), pulls.subList(from, to), nowNs);
          }
        });
    // Only now: one turn may ask a peer for chunks of several operations to find out about it.
    batches.keySet().forEach(batch -> peers.asked(batch.nodeId(), nowNs));
    hopeless.forEach(outcome::hopeless);
  }

  /** From the slab of a node of this host if it can be, else over the network. */
  private void send(
      final AcquireOperation operation,
      final long nodeId,
      final List<ChunkPull> pulls,
      final long nowNs) {
    final String endpoint =
        Objects.requireNonNull(peers.endpoint(nodeId, nowNs), "a chosen holder may be asked");
    begin(nodeId, pulls, nowNs);
    final boolean isWhole = pulls.stream().allMatch(pull -> pull.fromOffset() == 0);
    if (!isWhole || !neighbours.borrow(nodeId, pulls, nowNs)) {
      transfer(operation, nodeId, endpoint, pulls);
    }
  }

  private void begin(final long nodeId, final List<ChunkPull> pulls, final long nowNs) {
    final long bytes = pulls.stream().mapToLong(ChunkPull::bytesLeft).sum();
    final PullRates.Transfer transfer = rates.begin(nodeId, bytes, nowNs);
    pulls.forEach(pull -> pull.transfer = transfer);
  }

  private void transfer(
      final AcquireOperation operation,
      final long nodeId,
      final String endpoint,
      final List<ChunkPull> pulls) {
    final long pullId = newPullId();
    final List<PullChunk> chunks = new ArrayList<>(pulls.size());
    for (final ChunkPull pull : pulls) {
      pull.pullId = pullId;
      chunks.add(
          new PullChunk(
              pull.key(),
              pull.group(),
              store.memory(pull.slot),
              operation.run().space().chunkBytes(),
              pull.version(),
              pull.fromOffset()));
    }
    final Answers answers =
        new Answers(new PullBatch(nodeId, pullId, pulls, pulls.getFirst().transfer()));
    final PullRequest request =
        new PullRequest(
            TrafficClass.DEMAND,
            pullId,
            nodeId,
            endpoint,
            chunks,
            operation.run().space().tag(),
            operation.run().space().epoch(),
            operation.deadlineNs(),
            answers);
    if (transport.pull(request)) {
      hedges.asked(answers.batch);
    } else {
      pulls.forEach(pull -> failed(pull, PullFailure.OVERLOADED, 0, 0));
    }
  }

  private void received(final ChunkPull pull, final long version, final int crc32c) {
    pull.transfer().arrived(pull.bytesLeft(), clock.nanoTime());
    hedges.received(pull);
    outcome.received(pull, version, crc32c);
  }

  private void failed(
      final ChunkPull pull, final PullFailure reason, final long version, final int bytesReached) {
    final boolean isOutrun = reason == PullFailure.CANCELLED && pull.holderLeft;
    if (reason == PullFailure.DEADLINE || reason == PullFailure.SILENT || isOutrun) {
      pull.transfer().late(pull.bytesLeft(), clock.nanoTime());
    } else {
      pull.transfer().lost(pull.bytesLeft());
    }
    outcome.blame(pull, reason, version);
    final Runnable onFailure = () -> outcome.failed(pull, reason, version, bytesReached);
    if (!hedges.failed(pull, reason, onFailure)) {
      onFailure.run();
    }
  }

  /** What became of chunks that a node of this host was to lend. */
  private final class Borrowed implements Borrowing.Outcome {
    @Override
    public void received(final ChunkPull pull, final long version, final int crc32c) {
      PullSender.this.received(pull, version, crc32c);
    }

    @Override
    public void failed(final ChunkPull pull, final PullFailure reason, final long version) {
      pull.isBorrowed = false;
      PullSender.this.failed(pull, reason, version, 0);
    }

    @Override
    public void unanswered(final long peerNodeId, final List<ChunkPull> pulls) {
      final long nowNs = clock.nanoTime();
      final String endpoint = peers.endpoint(peerNodeId, nowNs);
      final List<ChunkPull> wanted = new ArrayList<>(pulls.size());
      for (final ChunkPull pull : pulls) {
        if (endpoint != null && !pull.isUnwanted) {
          pull.isBorrowed = false;
          pull.transfer().lost(pull.bytesLeft());
          wanted.add(pull);
        } else {
          failed(pull, pull.isUnwanted ? PullFailure.CANCELLED : PullFailure.UNREACHABLE, 0);
        }
      }
      if (endpoint != null && !wanted.isEmpty()) {
        begin(peerNodeId, wanted, nowNs);
        transfer(wanted.getFirst().operation, peerNodeId, endpoint, wanted);
      }
    }
  }

  /** Brings what becomes of a batch from the lane to the node agent. */
  private final class Answers implements PullListener {
    private final PullBatch batch;

    private Answers(final PullBatch batch) {
      this.batch = batch;
    }

    @Override
    public void received(final int chunk, final long version, final int crc32c) {
      agent.execute(() -> PullSender.this.received(ended(chunk), version, crc32c));
    }

    @Override
    public void failed(
        final int chunk, final PullFailure reason, final long version, final int bytesReached) {
      agent.execute(() -> PullSender.this.failed(ended(chunk), reason, version, bytesReached));
    }

    private ChunkPull ended(final int chunk) {
      batch.open.clear(chunk);
      return batch.pulls.get(chunk);
    }
  }
}
