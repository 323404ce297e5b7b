package io.kvasir.connectors.client;

import io.kvasir.connectors.protocol.AbortedBody;
import io.kvasir.connectors.protocol.AcquireBody;
import io.kvasir.connectors.protocol.AcquireEndBody;
import io.kvasir.connectors.protocol.AcquiredBody;
import io.kvasir.connectors.protocol.AwaitBody;
import io.kvasir.connectors.protocol.CommitSliceBody;
import io.kvasir.connectors.protocol.CommittedBody;
import io.kvasir.connectors.protocol.CreateHandoffBody;
import io.kvasir.connectors.protocol.EmptyBody;
import io.kvasir.connectors.protocol.EndHandoffBody;
import io.kvasir.connectors.protocol.FoundBody;
import io.kvasir.connectors.protocol.Frame;
import io.kvasir.connectors.protocol.FrameWriter;
import io.kvasir.connectors.protocol.HandoffCreatedBody;
import io.kvasir.connectors.protocol.HandoffEndedBody;
import io.kvasir.connectors.protocol.JsonBody;
import io.kvasir.connectors.protocol.LookupBody;
import io.kvasir.connectors.protocol.MalformedFrameException;
import io.kvasir.connectors.protocol.MessageType;
import io.kvasir.connectors.protocol.PrefixBody;
import io.kvasir.connectors.protocol.Protocol;
import io.kvasir.connectors.protocol.ReadyBody;
import io.kvasir.connectors.protocol.ReleaseBody;
import io.kvasir.connectors.protocol.ReleaseStatus;
import io.kvasir.connectors.protocol.ReleasedBody;
import io.kvasir.connectors.protocol.ReserveStatus;
import io.kvasir.connectors.protocol.ReservedBody;
import io.kvasir.connectors.protocol.SliceCommittedBody;
import io.kvasir.connectors.protocol.SlotsBody;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * An engine's connection to the node on its host: control frames over a Unix-domain socket, bytes
 * in the node's slab, which is mapped. One thread at a time may call; a thread of the client's own
 * answers the node's PING in between. Every call ends within its time limit.
 *
 * <p>Any {@link KvasirException} means a miss to the engine. After a {@link
 * NodeUnavailableException} the client is of no more use: close it and connect anew; spaces, slots
 * and acquisitions do not survive. Memory of chunks stays mapped until {@link #close}.
 */
public final class KvasirClient implements AutoCloseable {
  /** How long after its own deadline the node may tell the end of an acquisition. */
  private static final Duration DEADLINE_GRACE = Duration.ofMillis(500);

  /** The node answers COMMIT after this time even if the index does not. */
  private static final Duration INDEX_LIMIT = Duration.ofSeconds(1);

  private final Connection connection;
  private final Keeper keeper;
  private final Slab slab;
  private final Duration timeout;
  private final Map<Long, Acquisition> acquisitions = new HashMap<>();
  private final ReadyBody ready = new ReadyBody();
  private final AcquireEndBody acquireEnd = new AcquireEndBody();

  private KvasirClient(Path socket, EngineIdentity identity, Duration timeout) {
    this.timeout = timeout;
    final long deadlineNs = System.nanoTime() + timeout.toNanos();
    this.connection = Connection.open(socket, deadlineNs, this::onPush);
    try {
      final byte[] hello = Json.hello(identity);
      this.slab =
          call(
              MessageType.HELLO,
              deadlineNs,
              (w, correlationId) -> JsonBody.encode(w, MessageType.HELLO, correlationId, hello),
              helloOk -> Slab.map(Json.segments(helloOk)));
    } catch (Throwable t) {
      connection.close();
      throw t;
    }
    this.keeper = new Keeper(connection);
  }

  /**
   * Connects and maps the slab.
   *
   * @param socket {@code engine.sock} in the node's run directory
   * @param timeout limit of this call and of every later one that names no limit of its own
   * @throws NodeUnavailableException if there is no node, or its slab cannot be mapped
   * @throws KvasirProtocolException if the node refuses the engine
   */
  public static KvasirClient connect(Path socket, EngineIdentity identity, Duration timeout) {
    if (timeout.isNegative() || timeout.isZero()) {
      throw new IllegalArgumentException("timeout=" + timeout + " must be positive");
    }
    final KvasirClient client = new KvasirClient(socket, identity, timeout);
    client.keeper.start();
    return client;
  }

  /** False once the connection is lost or closed. */
  public boolean isOpen() {
    return connection.isOpen();
  }

  /**
   * Registers a namespace.
   *
   * @throws KvasirProtocolException LAYOUT_MISMATCH if the node knows it with another chunk size
   */
  public Space register(SpaceRequest request) {
    final byte[] body = Json.register(request);
    if (body.length > Protocol.REQUEST_JSON_BYTES_MAX) {
      throw new IllegalArgumentException("registerBytes=" + body.length);
    }
    return call(
        MessageType.REGISTER,
        deadline(timeout),
        (w, correlationId) -> JsonBody.encode(w, MessageType.REGISTER, correlationId, body),
        registered -> Json.space(this, request, registered));
  }

  /**
   * Asks how many leading chunks of a run exist, and how many of them are worth loading. A hint:
   * nothing is pinned.
   *
   * @param firstPosition index within the prompt of the first chunk named here, in chunks
   * @param anchorHash content hash of the first chunk of the group that holds it, 32 bytes
   * @param hashes content hashes in prompt order, 32 bytes each
   * @param count number of hashes, 1 to 262,144
   * @param prefillTokensPerSecond how fast the engine would compute this prompt now, 0 not to say
   */
  public LookupResult lookup(
      Space space,
      int firstPosition,
      byte[] anchorHash,
      byte[] hashes,
      int count,
      int prefillTokensPerSecond) {
    checkOwn(space);
    return call(
        MessageType.LOOKUP,
        deadline(timeout),
        (w, correlationId) ->
            LookupBody.encode(
                w,
                correlationId,
                false,
                prefillTokensPerSecond,
                space.id(),
                space.epoch(),
                firstPosition,
                anchorHash,
                hashes,
                count),
        frame -> {
          final FoundBody found = new FoundBody().wrap(frame);
          if (found.found() > count) {
            throw connection.nonsense("found=" + found.found() + " count=" + count, null);
          }
          return new LookupResult(
              found.isPartial(),
              found.found(),
              found.local(),
              found.foundBytes(),
              found.peerBytes(),
              found.estimateUs(),
              found.worth(),
              found.advice());
        });
  }

  /**
   * Makes leading chunks of a run resident and pins them. Take them with {@link Acquisition#next}
   * and give the acquisition back with {@link #release}.
   *
   * @param deadline after which the node gives up what is missing, 1 ms to 10 minutes
   * @see #lookup
   */
  public Acquisition acquire(
      Space space,
      int firstPosition,
      byte[] anchorHash,
      byte[] hashes,
      int count,
      Duration deadline) {
    checkOwn(space);
    final int deadlineMs = (int) Math.clamp(deadline.toMillis(), 1L, Protocol.DEADLINE_MS_MAX);
    final long endNs = deadline(Duration.ofMillis(deadlineMs).plus(DEADLINE_GRACE));
    return call(
        MessageType.ACQUIRE,
        endNs,
        (w, correlationId) ->
            AcquireBody.encode(
                w,
                correlationId,
                deadlineMs,
                space.id(),
                space.epoch(),
                firstPosition,
                anchorHash,
                hashes,
                count),
        frame -> acquired(space, new AcquiredBody().wrap(frame), count, endNs));
  }

  private Acquisition acquired(Space space, AcquiredBody acquired, int count, long endNs) {
    final Acquisition acquisition =
        new Acquisition(this, space, acquired.acquireId(), acquired.chunks(), endNs);
    if (acquired.chunks() > count
        || acquisitions.putIfAbsent(acquired.acquireId(), acquisition) != null) {
      throw connection.nonsense(
          "acquireId=" + acquired.acquireId() + " chunks=" + acquired.chunks(), null);
    }
    return acquisition;
  }

  /**
   * As {@link #acquire}, of chunks that a prefill engine hands to this node; returns when the
   * hand-off has been offered to it, or with no chunks when the deadline has passed.
   *
   * @param handoffId as the prefill engine gave it in {@link #createHandoff}
   * @throws KvasirProtocolException HANDOFF_IN_USE if it was awaited before
   */
  public Acquisition await(
      long handoffId,
      Space space,
      int firstPosition,
      byte[] anchorHash,
      byte[] hashes,
      int count,
      Duration deadline) {
    checkOwn(space);
    final int deadlineMs = (int) Math.clamp(deadline.toMillis(), 1L, Protocol.DEADLINE_MS_MAX);
    final long endNs = deadline(Duration.ofMillis(deadlineMs).plus(DEADLINE_GRACE));
    return call(
        MessageType.AWAIT,
        endNs,
        (w, correlationId) ->
            AwaitBody.encode(
                w,
                correlationId,
                handoffId,
                deadlineMs,
                space.id(),
                space.epoch(),
                firstPosition,
                anchorHash,
                hashes,
                count),
        frame -> acquired(space, new AcquiredBody().wrap(frame), count, endNs));
  }

  /**
   * Offers the chunks of a run, which are about to be computed here, to other nodes. Reserve their
   * slots, write them slice by slice, and tell each with {@link #commitSlices}; chunks that the
   * node already has go out by themselves.
   *
   * @param handoffId a random number that was never used before, not 0
   * @param receivers node ids of the decode nodes, 1 to 8
   * @param sliceBytes length of every slice of a chunk but the last
   * @param deadline after which nothing is sent any more, 1 ms to 10 minutes
   * @return how many of the receivers are members of the cluster now and were told
   * @throws KvasirProtocolException HANDOFF_IN_USE if the id was used before
   * @see #lookup
   */
  public int createHandoff(
      long handoffId,
      long[] receivers,
      int sliceBytes,
      Space space,
      int firstPosition,
      byte[] anchorHash,
      byte[] hashes,
      int count,
      Duration deadline) {
    checkOwn(space);
    final int deadlineMs = (int) Math.clamp(deadline.toMillis(), 1L, Protocol.DEADLINE_MS_MAX);
    return call(
        MessageType.CREATE_HANDOFF,
        deadline(timeout),
        (w, correlationId) ->
            CreateHandoffBody.encode(
                w,
                correlationId,
                handoffId,
                deadlineMs,
                sliceBytes,
                receivers,
                space.id(),
                space.epoch(),
                firstPosition,
                anchorHash,
                hashes,
                count),
        frame -> {
          final HandoffCreatedBody created = new HandoffCreatedBody().wrap(frame);
          if (created.handoffId() != handoffId || created.receivers() > receivers.length) {
            throw connection.nonsense("handoffId=" + created.handoffId(), null);
          }
          return created.receivers();
        });
  }

  /**
   * Hands slices off: all writes into them must have finished. With the last slice of a chunk the
   * chunk is committed; a slot of which one slice was committed is no longer the engine's to commit
   * or abort.
   *
   * @param slots reserved slots of chunks of the hand-off
   * @param slices number of the slice within slot {@code i}
   */
  public SliceResults commitSlices(long handoffId, int[] slots, int[] slices) {
    return call(
        MessageType.COMMIT_SLICE,
        deadline(timeout),
        (w, correlationId) -> CommitSliceBody.encode(w, correlationId, handoffId, slots, slices),
        frame -> {
          final SliceCommittedBody committed = new SliceCommittedBody().wrap(frame);
          checkCount(slots.length, committed.count());
          final List<SliceResults.Slice> results = new ArrayList<>(slots.length);
          for (int i = 0; i < slots.length; i++) {
            if (committed.slot(i) != slots[i]) {
              throw connection.nonsense("slot=" + committed.slot(i), null);
            }
            results.add(
                new SliceResults.Slice(slots[i], committed.status(i), committed.version(i)));
          }
          return new SliceResults(committed.receivers(), results);
        });
  }

  /**
   * Ends a hand-off that this engine created: what it has not committed will not come.
   *
   * @return false if the node does not know it
   */
  public boolean endHandoff(long handoffId) {
    return endHandoff(handoffId, false);
  }

  /**
   * Cancels a hand-off at this node, whoever created or awaits it: nothing of it arrives any more.
   *
   * @return false if the node does not know it
   */
  public boolean cancelHandoff(long handoffId) {
    return endHandoff(handoffId, true);
  }

  private boolean endHandoff(long handoffId, boolean cancel) {
    return call(
        MessageType.END_HANDOFF,
        deadline(timeout),
        (w, correlationId) -> EndHandoffBody.encode(w, correlationId, cancel, handoffId),
        frame -> {
          final HandoffEndedBody ended = new HandoffEndedBody().wrap(frame);
          if (ended.handoffId() != handoffId) {
            throw connection.nonsense("handoffId=" + ended.handoffId(), null);
          }
          return ended.isKnown();
        });
  }

  /**
   * Ends an acquisition; its memory must no longer be read. What is not ready yet is given up.
   *
   * @return true if the load counts: all its chunks were valid the whole time. If not, or if this
   *     throws, whatever was copied out must be thrown away
   */
  public boolean release(Acquisition acquisition) {
    checkOwn(acquisition);
    return call(
        MessageType.RELEASE,
        deadline(timeout),
        (w, correlationId) -> ReleaseBody.encode(w, correlationId, acquisition.id()),
        frame -> {
          final ReleasedBody released = new ReleasedBody().wrap(frame);
          if (released.acquireId() != acquisition.id()) {
            throw connection.nonsense("acquireId=" + released.acquireId(), null);
          }
          acquisition.released();
          acquisitions.remove(acquisition.id());
          return released.status() == ReleaseStatus.OK;
        });
  }

  /**
   * Asks for slots to write chunks into.
   *
   * @return one outcome per chunk, in order
   * @see #lookup
   */
  public Reservation[] reserve(
      Space space, int firstPosition, byte[] anchorHash, byte[] hashes, int count) {
    checkOwn(space);
    return call(
        MessageType.RESERVE,
        deadline(timeout),
        (w, correlationId) ->
            PrefixBody.encodeReserve(
                w,
                correlationId,
                space.id(),
                space.epoch(),
                firstPosition,
                anchorHash,
                hashes,
                count),
        frame -> {
          final ReservedBody reserved = new ReservedBody().wrap(frame);
          checkCount(count, reserved.count());
          final Reservation[] reservations = new Reservation[count];
          for (int i = 0; i < count; i++) {
            reservations[i] = reservation(space, reserved, i);
          }
          return reservations;
        });
  }

  /**
   * Commits slots. All writes into them must have finished.
   *
   * @param awaitIndex wait until the cluster's index names this node as a holder, at most a second
   * @return one outcome per slot, in order
   */
  public CommitResult[] commit(Space space, int[] slots, boolean awaitIndex) {
    checkOwn(space);
    return call(
        MessageType.COMMIT,
        deadline(awaitIndex ? timeout.plus(INDEX_LIMIT) : timeout),
        (w, correlationId) ->
            SlotsBody.encodeCommit(w, correlationId, awaitIndex, space.id(), space.epoch(), slots),
        frame -> {
          final CommittedBody committed = new CommittedBody().wrap(frame);
          checkCount(slots.length, committed.count());
          final CommitResult[] results = new CommitResult[slots.length];
          for (int i = 0; i < slots.length; i++) {
            if (committed.slot(i) != slots[i]) {
              throw connection.nonsense("slot=" + committed.slot(i), null);
            }
            results[i] = new CommitResult(slots[i], committed.status(i), committed.version(i));
          }
          return results;
        });
  }

  /** Gives reserved slots back; the engine no longer writes into them. */
  public void abort(Space space, int[] slots) {
    checkOwn(space);
    final int aborted =
        call(
            MessageType.ABORT,
            deadline(timeout),
            (w, correlationId) ->
                SlotsBody.encodeAbort(w, correlationId, space.id(), space.epoch(), slots),
            frame -> new AbortedBody().wrap(frame).count());
    checkCount(slots.length, aborted);
  }

  /** The node's counters, as JSON. */
  public String stats() {
    return call(
        MessageType.STATS,
        deadline(timeout),
        (w, correlationId) -> EmptyBody.encode(w, MessageType.STATS, correlationId),
        JsonBody::text);
  }

  /** Takes leave and closes. A node that has already gone is fine. */
  public void goodbye() {
    try {
      call(
          MessageType.GOODBYE,
          deadline(timeout),
          (w, correlationId) -> EmptyBody.encode(w, MessageType.GOODBYE, correlationId),
          Frame::type);
    } catch (KvasirException e) {
      // Closing is what was wanted; the node sees it by itself.
    } finally {
      close();
    }
  }

  /** Closes the socket, ends the thread and unmaps the slab. May be called twice. */
  @Override
  public void close() {
    connection.close();
    keeper.close();
    slab.close();
  }

  @Nullable LoadedChunk next(Acquisition acquisition) {
    checkOwn(acquisition);
    connection.lock();
    try {
      connection.awaitPushes(acquisition::hasNews, acquisition.deadlineNs());
      return acquisition.poll();
    } finally {
      connection.unlock();
    }
  }

  /** Encodes a request. */
  private interface Encoder {
    void encode(FrameWriter writer, int correlationId);
  }

  private <T> T call(
      MessageType request, long deadlineNs, Encoder encoder, Function<Frame, T> decoder) {
    connection.lock();
    try {
      encoder.encode(connection.writer(), connection.nextCorrelationId());
      return decoder.apply(connection.reply(request, deadlineNs));
    } catch (MalformedFrameException e) {
      throw connection.nonsense("request=" + request + " cause=" + e.getMessage(), e);
    } finally {
      connection.unlock();
    }
  }

  private void onPush(Frame frame) {
    final boolean sane =
        switch (frame.type()) {
          case READY -> onReady(ready.wrap(frame));
          case ACQUIRE_END -> onAcquireEnd(acquireEnd.wrap(frame));
          // A draining node says so again in its answers: SHUTTING_DOWN.
          default -> true;
        };
    if (!sane) {
      throw connection.nonsense("push=" + frame.type(), null);
    }
  }

  private boolean onReady(ReadyBody body) {
    final Acquisition acquisition = acquisitions.get(body.acquireId());
    try {
      return acquisition != null && acquisition.onReady(body, slab);
    } catch (IndexOutOfBoundsException e) {
      throw connection.nonsense("push=READY place=" + e.getMessage(), e);
    }
  }

  private boolean onAcquireEnd(AcquireEndBody body) {
    final Acquisition acquisition = acquisitions.get(body.acquireId());
    return acquisition != null && acquisition.onEnd(body);
  }

  private Reservation reservation(Space space, ReservedBody reserved, int i) {
    final ReserveStatus status = reserved.status(i);
    if (status != ReserveStatus.RESERVED) {
      return new Reservation(status, -1, null);
    }
    try {
      final MemorySegment memory =
          slab.slice(reserved.segment(i), reserved.segmentOffset(i), space.chunkBytes());
      return new Reservation(status, reserved.slot(i), memory);
    } catch (IndexOutOfBoundsException e) {
      throw connection.nonsense("reply=RESERVED place=" + e.getMessage(), e);
    }
  }

  private void checkCount(int expected, int count) {
    if (count != expected) {
      throw connection.nonsense("count=" + count + " expected=" + expected, null);
    }
  }

  private void checkOwn(Space space) {
    if (!space.isOf(this)) {
      throw new IllegalArgumentException("space=" + space.id() + " is of another connection");
    }
  }

  private void checkOwn(Acquisition acquisition) {
    if (!acquisition.isOf(this)) {
      throw new IllegalArgumentException(
          "acquireId=" + acquisition.id() + " is released or of another connection");
    }
  }

  private static long deadline(Duration limit) {
    return System.nanoTime() + limit.toNanos();
  }
}
