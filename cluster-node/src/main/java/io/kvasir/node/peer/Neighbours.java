package io.kvasir.node.peer;

import io.kvasir.node.peer.NeighbourMessage.Ask;
import io.kvasir.node.peer.NeighbourMessage.Borrow;
import io.kvasir.node.peer.NeighbourMessage.Lent;
import io.kvasir.node.peer.NeighbourMessage.Offer;
import io.kvasir.node.peer.NeighbourMessage.Proof;
import io.kvasir.node.peer.NeighbourMessage.Proven;
import io.kvasir.node.peer.NeighbourMessage.Refused;
import io.kvasir.node.peer.NeighbourMessage.Returned;
import io.kvasir.node.store.Store;
import io.kvasir.transport.Transport;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.random.RandomGenerator;
import org.agrona.DirectBuffer;
import org.agrona.collections.Long2ObjectHashMap;
import org.agrona.concurrent.NanoClock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The other nodes of this host and trust domain: they and this node read each other's slab. Each
 * relation lives and dies with the session that it was proven in.
 *
 * <p>Sessions call {@link #opened}, {@link #remarked} and {@link #closed} from any thread; all else
 * is the node agent's.
 */
public final class Neighbours implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Neighbours.class);
  private static final long RETRY_NS = 1_000_000;

  private final long selfNodeId;

  private final boolean isEnabled;
  private final Store store;
  private final PeerCounters counters;
  private final Executor agent;
  private final NanoClock clock;
  private final CopyWorkers workers;
  private final Lending.Office lendingOffice;
  private final RandomGenerator random = new SecureRandom();
  private final Long2ObjectHashMap<Neighbour> neighbours = new Long2ObjectHashMap<>();
  private final Map<Long, RemarkInbox> inboxes = new ConcurrentHashMap<>();
  private final ArrayDeque<Unsent> unsent = new ArrayDeque<>();
  private @Nullable Transport transport;
  private Borrowing.@Nullable Outcome outcome;

  /** A remark that the lane took none of. */
  @SuppressWarnings("ArrayRecordComponent") // handed over once, never compared
  private record Unsent(long peerNodeId, byte[] body) {}

  /** Both directions between this node and another, for one session. */
  private record Neighbour(Lending lending, Borrowing borrowing) {}

  /**
   * @param selfNodeId said in proofs
   * @param isEnabled false: no other node is told or asked anything
   * @param agent runs tasks on the node agent
   */
  public Neighbours(
      final long selfNodeId,
      final boolean isEnabled,
      final Store store,
      final ServeCoordinator serves,
      final PeerCounters counters,
      final Executor agent,
      final NanoClock clock) {
    this.selfNodeId = selfNodeId;
    this.isEnabled = isEnabled;
    this.store = store;
    this.counters = counters;
    this.agent = agent;
    this.clock = clock;
    this.workers = new CopyWorkers(Runtime.getRuntime().availableProcessors() > 2 ? 2 : 1, agent);
    this.lendingOffice = new Lending.Office(store, serves, new BitSet());
  }

  /** Sends through this transport; before the agent starts. */
  public void connect(final Transport started) {
    transport = started;
  }

  /** Who is told what became of chunks; before the agent starts. */
  void connect(final Borrowing.Outcome borrower) {
    outcome = borrower;
  }

  // Any thread.

  /** A session with the node is open. */
  void opened(final long peerNodeId) {
    if (isEnabled) {
      inboxes.put(peerNodeId, new RemarkInbox());
      agent.execute(() -> begin(peerNodeId));
    }
  }

  /** The node sent a remark; one that sends faster than the agent can work is refused. */
  void remarked(
      final long peerNodeId, final DirectBuffer buffer, final int offset, final int length) {
    final RemarkInbox inbox = inboxes.get(peerNodeId);
    if (inbox == null || inbox.isRefused()) {
      return;
    }
    if (!inbox.take(length)) {
      inbox.refuse();
      agent.execute(() -> refuse(peerNodeId, "more remarks than can be handled"));
      return;
    }
    final byte[] body = new byte[length];
    buffer.getBytes(offset, body);
    agent.execute(
        () -> {
          inbox.handled(length);
          heard(peerNodeId, body);
        });
  }

  /** The session with the node is over. */
  void closed(final long peerNodeId) {
    if (isEnabled) {
      inboxes.remove(peerNodeId);
      agent.execute(() -> end(peerNodeId));
    }
  }

  // Node agent.

  private void begin(final long peerNodeId) {
    final Transport link = transport;
    final Borrowing.Outcome borrower = outcome;
    if (link == null || borrower == null) {
      throw new IllegalStateException("the agent runs before all is connected");
    }
    final Borrowing.Office office =
        new Borrowing.Office(selfNodeId, store, workers, counters, clock, link.noteBytesMax());
    end(peerNodeId);
    final Neighbour neighbour =
        new Neighbour(
            new Lending(
                peerNodeId,
                link.noteBytesMax(),
                lendingOffice,
                message -> send(peerNodeId, message)),
            new Borrowing(
                peerNodeId, newNonce(), office, borrower, message -> send(peerNodeId, message)));
    neighbours.put(peerNodeId, neighbour);
    neighbour.borrowing.begin();
  }

  private long newNonce() {
    final long nonce = random.nextLong();
    return nonce == 0 ? newNonce() : nonce;
  }

  private void heard(final long peerNodeId, final byte[] body) {
    final Neighbour neighbour = neighbours.get(peerNodeId);
    if (neighbour == null) {
      return; // refused before
    }
    final NeighbourMessage message;
    try {
      message = NeighbourMessage.decode(body);
    } catch (final IllegalArgumentException e) {
      refuse(peerNodeId, String.valueOf(e.getMessage()));
      return;
    }
    if (!heard(neighbour, message)) {
      refuse(peerNodeId, "wrong proof, or not to be asked so");
    }
  }

  private void refuse(final long peerNodeId, final String reason) {
    final RemarkInbox inbox = inboxes.get(peerNodeId);
    if (inbox != null) {
      inbox.refuse();
    }
    if (neighbours.containsKey(peerNodeId)) {
      counters.neighbourRefused();
      LOG.warn(
          "KVA-0482 node of this host refused, chunks go over the network - peer={} reason=\"{}\"",
          Long.toHexString(peerNodeId),
          reason);
      end(peerNodeId);
    }
  }

  private boolean heard(final Neighbour neighbour, final NeighbourMessage message) {
    final long nowNs = clock.nanoTime();
    switch (message) {
      case Ask ask -> neighbour.lending.asked(ask, newNonce());
      case Offer offer -> neighbour.borrowing.offered(offer);
      case Proof proof -> {
        return neighbour.lending.proven(proof);
      }
      case Proven proven -> neighbour.borrowing.proven(proven);
      case Borrow borrow -> {
        return neighbour.lending.borrow(borrow);
      }
      case Lent lent -> neighbour.borrowing.lent(lent, nowNs);
      case Refused refused -> neighbour.borrowing.refused(refused, nowNs);
      case Returned returned -> neighbour.lending.returned(returned.chunks());
    }
    return true;
  }

  private void end(final long peerNodeId) {
    final Neighbour neighbour = neighbours.remove(peerNodeId);
    if (neighbour != null) {
      neighbour.lending.end();
      neighbour.borrowing.end();
    }
  }

  /** Asks a neighbour for chunks; false if it is none, or they cannot be had like this now. */
  boolean borrow(final long peerNodeId, final List<ChunkPull> pulls, final long nowNs) {
    final Neighbour neighbour = neighbours.get(peerNodeId);
    return neighbour != null && neighbour.borrowing.borrow(pulls, nowNs);
  }

  /** Sends what is due and looks at the clock. */
  public int doWork(final long nowNs) {
    int work = 0;
    while (!unsent.isEmpty() && transmit(unsent.getFirst())) {
      unsent.removeFirst();
      work++;
    }
    for (final Neighbour neighbour : neighbours.values()) {
      work += neighbour.lending.flush() + neighbour.borrowing.doWork(nowNs);
    }
    return work;
  }

  /** Nanoseconds until {@link #doWork} has to look again. */
  public long untilTimerNs(final long nowNs) {
    long nearestNs = unsent.isEmpty() ? Long.MAX_VALUE : RETRY_NS;
    for (final Neighbour neighbour : neighbours.values()) {
      nearestNs = Math.min(nearestNs, neighbour.borrowing.untilTimerNs(nowNs));
    }
    return nearestNs;
  }

  private void send(final long peerNodeId, final NeighbourMessage message) {
    final Unsent remark = new Unsent(peerNodeId, message.encode());
    if (!unsent.isEmpty() || !transmit(remark)) {
      unsent.add(remark);
    }
  }

  private boolean transmit(final Unsent remark) {
    final Transport link = transport;
    return link != null && link.remark(remark.peerNodeId, remark.body);
  }

  /** Nodes whose slab this node may read now. */
  public int open() {
    int open = 0;
    for (final Neighbour neighbour : neighbours.values()) {
      open += neighbour.borrowing.isOpen() ? 1 : 0;
    }
    return open;
  }

  /** Slabs of other nodes that are mapped now. */
  public int mapped() {
    return workers.openSlabs();
  }

  /** Ends the copies and unmaps every slab; after the agent has ended. */
  @Override
  public void close() {
    workers.close();
  }
}
