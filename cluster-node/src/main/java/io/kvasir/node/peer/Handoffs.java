package io.kvasir.node.peer;

import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.node.store.Owner;
import io.kvasir.node.store.Store;
import io.kvasir.node.store.StoreCodes;
import io.kvasir.node.store.StoreException;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.PullFailure;
import io.kvasir.transport.PullRequest;
import io.kvasir.transport.ServeRequest;
import io.kvasir.transport.Transport;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.NanoClock;
import org.jspecify.annotations.Nullable;

/**
 * The hand-offs of this node, from both sides: what engines here prefill for other nodes, and what
 * other nodes prefill for engines here ({@code docs/decisions/0010}). An id is used once; those
 * that have ended are remembered, up to a limit. Node agent only, except {@link #told}.
 */
public final class Handoffs {
  /** Longest life of a hand-off. */
  static final long DEADLINE_MAX_NS = TimeUnit.MINUTES.toNanos(10);

  /** Open at once, in each direction: each takes up to four of the transport's 256 pulls. */
  private static final int OPEN_MAX = 32;

  private static final int PAST_MAX = 4_096;

  /** How an offered hand-off ended. */
  private enum Past {
    AWAITED,
    CANCELLED,
    EXPIRED
  }

  private final Store store;
  private final StoreEvents events;
  private final Owner owner;
  private final PeerCounters peerCounters;
  private final HandoffCounters counters = new HandoffCounters();
  private final Executor agent;
  private final RemarkInbox inbox = new RemarkInbox();
  private final NanoClock clock;
  private final Map<Long, OutboundHandoff> outbound = new HashMap<>();
  private final Map<Long, InboundHandoff> inbound = new HashMap<>();
  private final Map<Long, HandoffOffer> offers = new HashMap<>();
  private final Map<Long, AcquireOperation> waiting = new HashMap<>();

  /** Why a slice of one that is over is refused: who was offered it may ask after that. */
  private final Map<Long, PullFailure> pastOutbound = new Remembered<>();

  private final Map<Long, Past> pastInbound = new Remembered<>();
  private @Nullable Transport transport;
  private @Nullable PeerTable peers;
  private @Nullable PullCoordinator pulls;

  /**
   * @param owner owns the slots of chunks that are being handed off
   * @param agent runs tasks on the node agent
   */
  public Handoffs(
      final Store store,
      final StoreEvents events,
      final Owner owner,
      final PeerCounters peerCounters,
      final Executor agent,
      final NanoClock clock) {
    this.store = store;
    this.events = events;
    this.owner = owner;
    this.peerCounters = peerCounters;
    this.agent = agent;
    this.clock = clock;
  }

  /** Speaks with peers from now on; before the node agent starts. */
  public void connect(
      final Transport started, final PeerTable table, final PullCoordinator coordinator) {
    transport = started;
    peers = table;
    table.onChange(this::leaveDeparted);
    pulls = coordinator;
  }

  // For engines.

  /** Whether a hand-off of these sizes is within the limits. */
  public static boolean isWithinLimits(
      final int chunks, final int chunkBytes, final int sliceBytes) {
    return HandoffNote.isWithinLimits(chunks, chunkBytes, sliceBytes);
  }

  /** Whether there is room for another one that engines here create. */
  public boolean mayCreate() {
    return outbound.size() < OPEN_MAX;
  }

  /** Whether an engine here has created one with this id. */
  public boolean isCreated(final long id) {
    return outbound.containsKey(id) || pastOutbound.containsKey(id);
  }

  /**
   * Begins a hand-off and offers it to the receivers that are members now.
   *
   * @return how many those are
   */
  public int create(
      final long id,
      final Owner engine,
      final ChunkRun run,
      final int sliceBytes,
      final long[] receivers,
      final long remainingNs) {
    final Slices slices = new Slices(run.space().chunkBytes(), sliceBytes);
    final long nowNs = clock.nanoTime();
    final OutboundHandoff handoff =
        new OutboundHandoff(this, id, engine, run, slices, nowNs + remainingNs);
    outbound.put(id, handoff);
    counters.created++;
    final Transport link = Objects.requireNonNull(transport);
    final List<byte[]> parts = HandoffNote.offer(run, slices, remainingNs, link.noteBytesMax());
    for (final long receiver : receivers) {
      final String endpoint = handoff.isReceiver(receiver) ? null : endpoint(receiver);
      if (endpoint != null && parts.stream().allMatch(p -> link.tell(receiver, endpoint, id, p))) {
        handoff.addReceiver(receiver);
      }
    }
    handoff.start();
    return handoff.receivers();
  }

  /** The hand-off that this engine instance created, or null. */
  public @Nullable OutboundHandoff find(final long id, final Owner engine) {
    final OutboundHandoff handoff = outbound.get(id);
    return handoff != null && handoff.isOf(engine) ? handoff : null;
  }

  /** The engine commits no more slices; false if it has created no such hand-off. */
  public boolean end(final long id, final Owner engine) {
    final OutboundHandoff handoff = find(id, engine);
    if (handoff != null) {
      handoff.engineDone();
    }
    return handoff != null || pastOutbound.containsKey(id);
  }

  /**
   * Nothing of the hand-off shall arrive any more; false if it is not known here.
   *
   * @param engine who says so: if it has created the hand-off, it also writes no more
   */
  public boolean cancel(final long id, final Owner engine) {
    final HandoffOffer partial = offers.remove(id);
    if (partial != null) {
      leave(partial.senderNodeId(), id);
    }
    final OutboundHandoff out = outbound.get(id);
    final InboundHandoff in = inbound.get(id);
    final AcquireOperation operation = waiting.remove(id);
    if (out == null && in == null && operation == null) {
      // Its offer may still be on the way.
      final boolean isPast = pastOutbound.containsKey(id) || pastInbound.containsKey(id);
      pastInbound.putIfAbsent(id, Past.CANCELLED);
      return isPast;
    }
    counters.cancelled++;
    if (out != null) {
      out.close(true);
      if (out.isOf(engine)) {
        out.engineDone();
      }
    }
    if (in != null) {
      in.cancel();
    }
    if (operation != null) {
      pastInbound.put(id, Past.CANCELLED);
      operation.end(EndReason.CANCELLED);
    }
    return true;
  }

  /** Whether the hand-off may be awaited: nobody has awaited it before. */
  public boolean mayAwait(final long id) {
    final InboundHandoff handoff = inbound.get(id);
    return !waiting.containsKey(id)
        && (handoff == null || !handoff.isAwaited())
        && pastInbound.get(id) != Past.AWAITED;
  }

  /** Whether there is room for another one that waits to be offered. */
  public boolean mayWait() {
    return waiting.size() < OPEN_MAX;
  }

  /**
   * Begins to wait for the chunks of a hand-off; the listener may be called before this returns.
   *
   * @param acquireId the asker's name for the operation
   */
  public AcquireOperation await(
      final long id,
      final long acquireId,
      final Owner engine,
      final ChunkRun run,
      final long deadlineNs,
      final AcquireListener listener) {
    counters.awaits++;
    final AcquireOperation operation =
        Objects.requireNonNull(pulls).expect(acquireId, engine, run, deadlineNs, listener);
    final InboundHandoff handoff = inbound.get(id);
    final Past past = pastInbound.get(id);
    if (handoff != null) {
      handoff.await(operation);
      retireIfDone(handoff);
    } else if (past == null) {
      waiting.put(id, operation);
    } else {
      operation.end(past == Past.CANCELLED ? EndReason.CANCELLED : EndReason.DEADLINE);
    }
    return operation;
  }

  /** An engine instance is gone: what it has begun will not be finished. */
  public void engineGone(final Owner engine) {
    List.copyOf(outbound.values()).stream()
        .filter(handoff -> handoff.isOf(engine))
        .forEach(OutboundHandoff::engineDone);
  }

  // For peers.

  private void leaveDeparted() {
    final PeerTable members = Objects.requireNonNull(peers);
    List.copyOf(outbound.values()).forEach(handoff -> handoff.retain(members::contains));
  }

  /** A peer says something of a hand-off. Any thread. */
  public void told(
      final long peerNodeId,
      final long id,
      final DirectBuffer buffer,
      final int offset,
      final int length) {
    if (!inbox.take(length)) {
      inbox.handled(length);
      counters.dropped.increment();
      return;
    }
    final byte[] body = new byte[length];
    buffer.getBytes(offset, body);
    agent.execute(
        () -> {
          inbox.handled(length);
          heard(peerNodeId, id, HandoffNote.read(body));
        });
  }

  private void heard(final long peerNodeId, final long id, final @Nullable HandoffNote note) {
    switch (note) {
      case HandoffNote.Offer part -> offered(peerNodeId, id, part);
      case HandoffNote.Left _ -> {
        final OutboundHandoff handoff = outbound.get(id);
        if (handoff != null) {
          handoff.left(peerNodeId);
        }
      }
      case null -> counters.declined++;
    }
  }

  private void offered(final long peerNodeId, final long id, final HandoffNote.Offer part) {
    final boolean isUsed = id == 0 || inbound.containsKey(id) || pastInbound.containsKey(id);
    HandoffOffer offer = offers.get(id);
    if (offer == null && part.first() == 0 && !isUsed && mayReceive(peerNodeId)) {
      offer = HandoffOffer.begin(peerNodeId, part, clock.nanoTime());
      offers.put(id, offer);
    }
    if (offer == null) {
      decline(peerNodeId, id, part);
    } else if (offer.senderNodeId() != peerNodeId) {
      decline(peerNodeId, id, part);
    } else if (!offer.add(part)) {
      offers.remove(id); // a part of it was lost
      counters.declined++;
      leave(peerNodeId, id);
    } else if (offer.isWhole()) {
      offers.remove(id);
      begin(id, offer);
    }
  }

  /** Only members hand off. */
  private boolean mayReceive(final long peerNodeId) {
    return inbound.size() + offers.size() < OPEN_MAX
        && Objects.requireNonNull(peers).contains(peerNodeId);
  }

  /** Said once per offer, at its first part. */
  private void decline(final long peerNodeId, final long id, final HandoffNote.Offer part) {
    if (part.first() == 0) {
      counters.declined++;
      leave(peerNodeId, id);
    }
  }

  private void begin(final long id, final HandoffOffer offer) {
    final int spaceId;
    try {
      spaceId = store.spaceId(offer.head().fingerprint());
    } catch (final StoreException _) {
      decline(offer.senderNodeId(), id, offer.head()); // no room for another namespace
      return;
    }
    counters.offered++;
    final InboundHandoff handoff =
        new InboundHandoff(this, id, offer.senderNodeId(), offer, spaceId);
    inbound.put(id, handoff);
    handoff.start(endpoint(offer.senderNodeId()));
    final AcquireOperation operation = waiting.remove(id);
    if (operation != null) {
      handoff.await(operation);
    }
    retireIfDone(handoff);
  }

  /** Answers a peer that asks for a slice; false if it asks for none. */
  boolean serve(final ServeRequest request, final int chunk) {
    final long id = request.group(chunk);
    final OutboundHandoff handoff = outbound.get(id);
    if (handoff != null) {
      return handoff.serve(request, chunk);
    }
    final PullFailure why = pastOutbound.get(id);
    if (why != null) {
      request.refused(chunk, why);
    }
    return why != null;
  }

  /** The lane no longer reads a slice; false if the request was for none. */
  boolean finished(final ServeRequest request, final int chunk) {
    final OutboundHandoff handoff = outbound.get(request.group(chunk));
    return handoff != null && handoff.finished(request, chunk);
  }

  // Turns.

  /** Ends what is late. */
  public int doWork(final long nowNs) {
    if (outbound.isEmpty() && inbound.isEmpty() && offers.isEmpty() && waiting.isEmpty()) {
      return 0;
    }
    for (final OutboundHandoff handoff : List.copyOf(outbound.values())) {
      if (!handoff.isExpired() && handoff.deadlineNs() - nowNs <= 0) {
        handoff.expire();
      }
    }
    for (final InboundHandoff handoff : List.copyOf(inbound.values())) {
      if (handoff.deadlineNs() - nowNs <= 0) {
        handoff.expire();
      }
    }
    offers.values().removeIf(offer -> offer.deadlineNs() - nowNs <= 0);
    waiting
        .entrySet()
        .removeIf(
            entry -> {
              // Its deadline passed or its engine left.
              final boolean isOver = entry.getValue().isEnded();
              if (isOver) {
                pastInbound.put(entry.getKey(), Past.AWAITED);
                final HandoffOffer partial = offers.remove(entry.getKey());
                if (partial != null) {
                  leave(partial.senderNodeId(), entry.getKey());
                }
              }
              return isOver;
            });
    return 0;
  }

  /** Nanoseconds until {@link #doWork} has to look at a deadline again. */
  public long untilDeadlineNs(final long nowNs) {
    long nearest = Long.MAX_VALUE;
    for (final OutboundHandoff handoff : outbound.values()) {
      if (!handoff.isExpired()) {
        nearest = Math.min(nearest, handoff.deadlineNs() - nowNs);
      }
    }
    for (final InboundHandoff handoff : inbound.values()) {
      nearest = Math.min(nearest, handoff.deadlineNs() - nowNs);
    }
    // One that is late and still held by the lane needs no more looking at.
    return Math.max(nearest, TimeUnit.MILLISECONDS.toNanos(1));
  }

  /** Open hand-offs of engines here. */
  public int openOutbound() {
    return outbound.size();
  }

  /** Open hand-offs for engines here. */
  public int openInbound() {
    return inbound.size();
  }

  public HandoffCounters counters() {
    return counters;
  }

  // For the hand-offs themselves.

  Store store() {
    return store;
  }

  StoreEvents events() {
    return events;
  }

  Owner owner() {
    return owner;
  }

  void execute(final Runnable task) {
    agent.execute(task);
  }

  long newPullId() {
    return Objects.requireNonNull(pulls).newPullId();
  }

  boolean pull(final PullRequest request) {
    return Objects.requireNonNull(transport).pull(request);
  }

  void cancelPull(final long pullId) {
    Objects.requireNonNull(transport).cancel(pullId);
  }

  void pulled(final int bytes) {
    peerCounters.pulled(bytes);
  }

  /** A slice arrived with a wrong checksum: its sender looks at the chunk, if it has it whole. */
  void corrupt(final long nodeId, final ChunkKey key, final long version) {
    peerCounters.corruptPull();
    Objects.requireNonNull(transport).doubt(nodeId, key, version);
  }

  /** Tells a sender that nobody here waits for its slices. */
  void leave(final long nodeId, final long id) {
    final String endpoint = endpoint(nodeId);
    if (endpoint != null) {
      Objects.requireNonNull(transport).tell(nodeId, endpoint, id, HandoffNote.left());
    }
  }

  /** Pins a committed slot for the hand-offs; whether it holds is told at once or later. */
  void pin(final int slot, final Consumer<Boolean> whenKnown) {
    final StoreEvents.Waiter waiter =
        new StoreEvents.Waiter() {
          @Override
          public void pinVerified(final int pinned, final boolean ok) {
            whenKnown.accept(ok);
          }
        };
    final long cookie = events.register(waiter);
    final int code = store.pin(owner, slot, cookie);
    if (code != StoreCodes.VERIFYING) {
      events.forget(cookie);
      whenKnown.accept(code == StoreCodes.PINNED);
    }
  }

  void retireIfDone(final OutboundHandoff handoff) {
    if (handoff.isDone() && outbound.remove(handoff.id(), handoff)) {
      handoff.retire();
      pastOutbound.put(handoff.id(), handoff.refusal());
    }
  }

  void retireIfDone(final InboundHandoff handoff) {
    if (handoff.isDone() && inbound.remove(handoff.id(), handoff)) {
      pastInbound.put(
          handoff.id(),
          handoff.isCancelled()
              ? Past.CANCELLED
              : handoff.isAwaited() ? Past.AWAITED : Past.EXPIRED);
    }
  }

  private @Nullable String endpoint(final long nodeId) {
    return Objects.requireNonNull(peers).endpoint(nodeId, clock.nanoTime());
  }

  /** The newest entries, up to a limit. */
  private static final class Remembered<V> extends LinkedHashMap<Long, V> {
    private static final long serialVersionUID = 1;

    @Override
    protected boolean removeEldestEntry(final Map.Entry<Long, V> eldest) {
      return size() > PAST_MAX;
    }
  }
}
