package io.kvasir.node.engine;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kvasir.connectors.protocol.AbortStatus;
import io.kvasir.connectors.protocol.AbortedBody;
import io.kvasir.connectors.protocol.AcquireBody;
import io.kvasir.connectors.protocol.AwaitBody;
import io.kvasir.connectors.protocol.EmptyBody;
import io.kvasir.connectors.protocol.ErrorCode;
import io.kvasir.connectors.protocol.Frame;
import io.kvasir.connectors.protocol.FrameWriter;
import io.kvasir.connectors.protocol.JsonBody;
import io.kvasir.connectors.protocol.MalformedFrameException;
import io.kvasir.connectors.protocol.MessageType;
import io.kvasir.connectors.protocol.PrefixBody;
import io.kvasir.connectors.protocol.Protocol;
import io.kvasir.connectors.protocol.ReleaseBody;
import io.kvasir.connectors.protocol.ReleaseStatus;
import io.kvasir.connectors.protocol.ReleasedBody;
import io.kvasir.connectors.protocol.ReserveStatus;
import io.kvasir.connectors.protocol.ReservedBody;
import io.kvasir.connectors.protocol.SlotsBody;
import io.kvasir.node.peer.AcquireOperation;
import io.kvasir.node.peer.ChunkRun;
import io.kvasir.node.peer.Handoffs;
import io.kvasir.node.peer.Space;
import io.kvasir.node.store.SegmentFile;
import io.kvasir.node.store.Store;
import io.kvasir.node.store.StoreCodes;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;

/** Answers the requests of engines; one object for all sessions. Node agent only. */
final class EngineRequests {
  private static final int ACQUISITIONS_MAX = 4096;
  private static final int LIST_HEADER_BYTES = 8;
  private static final int RESERVED_ENTRY_BYTES = 24;
  private static final int ABORTED_ENTRY_BYTES = 8;

  private final EngineEndpoint endpoint;
  private final EngineServices services;
  private final Store store;
  private final Spaces spaces;
  private final PrefixBody prefix = new PrefixBody();
  private final LookupRequests lookups;
  private final HandoffRequests handoffs;
  private final AcquireBody acquire = new AcquireBody();
  private final AwaitBody await = new AwaitBody();
  private final ReleaseBody release = new ReleaseBody();
  private final SlotsBody slots = new SlotsBody();
  private long lastAcquireId;

  EngineRequests(final EngineEndpoint endpoint, final EngineServices services) {
    this.endpoint = endpoint;
    this.services = services;
    this.store = services.store();
    this.spaces = new Spaces(store, services.chunkBytesMax());
    this.lookups = new LookupRequests(endpoint, services);
    this.handoffs = new HandoffRequests(services.handoffs());
  }

  /** Answers one frame, perhaps later. */
  void handle(final EngineSession session, final Frame frame) {
    try {
      dispatch(session, frame);
    } catch (final MalformedFrameException e) {
      endpoint.counters().malformedFrames++;
      session.error(frame.correlationId(), e.errorCode(), String.valueOf(e.getMessage()));
    } catch (final RefusedException e) {
      final boolean isHello = frame.type() == MessageType.HELLO;
      session.error(
          frame.correlationId(), e.code(), e.detail(), isHello || e.code().closesConnection());
    } catch (final RuntimeException e) {
      // One request must not take the node down with it; what it held goes with the session.
      endpoint.counters().internalErrors++;
      EngineEndpoint.LOG.error(
          "KVA-0510 request failed - session={} type={}; the session is closed",
          session.id,
          frame.type(),
          e);
      session.error(frame.correlationId(), ErrorCode.INTERNAL, e.toString());
    }
  }

  private void dispatch(final EngineSession session, final Frame frame) {
    final EngineInstance instance = session.instance();
    if ((instance == null) != (frame.type() == MessageType.HELLO)) {
      throw new RefusedException(
          ErrorCode.NOT_GREETED, "HELLO must be the first frame, and only the first");
    }
    if (instance == null) {
      hello(session, frame);
      return;
    }
    switch (frame.type()) {
      case REGISTER -> register(session, frame);
      case LOOKUP -> lookups.lookup(session, frame);
      case ACQUIRE -> acquire(session, instance, frame);
      case AWAIT -> await(session, instance, frame);
      case RELEASE -> release(session, frame);
      case RESERVE -> reserve(session, instance, frame);
      case COMMIT -> commit(session, instance, frame);
      case ABORT -> abort(session, instance, frame);
      case CREATE_HANDOFF -> handoffs.create(session, instance, frame);
      case COMMIT_SLICE -> handoffs.commitSlices(session, instance, frame);
      case END_HANDOFF -> handoffs.end(session, instance, frame);
      case STATS ->
          session.json(
              MessageType.STATS_OK, frame.correlationId(), services.stats().apply(endpoint));
      case PING -> empty(session, MessageType.PONG, frame.correlationId());
      case GOODBYE -> {
        empty(session, MessageType.GOODBYE_OK, frame.correlationId());
        session.closeAfterFlush();
      }
      case PONG -> {
        // That it came is all it says.
      }
      default -> throw frame.refused(ErrorCode.UNKNOWN_TYPE, "not a request");
    }
  }

  private void hello(final EngineSession session, final Frame frame) {
    final HelloRequest hello = HelloRequest.parse(JsonBody.text(frame));
    session.greeted(endpoint.instances().opened(hello), hello.isScheduler());
    final ObjectNode json = RequestJson.MAPPER.createObjectNode();
    json.put("protocol", Protocol.VERSION);
    json.put("session", session.id);
    json.put("node", services.nodeName());
    json.put("nodeId", HexFormat.of().toHexDigits(services.nodeId()));
    json.put("incarnation", HexFormat.of().toHexDigits(store.incarnation()));
    final ArrayNode segments = json.putArray("segments");
    for (final SegmentFile file : store.segments()) {
      segments
          .addObject()
          .put("index", segments.size() - 1)
          .put("path", file.path().toString())
          .put("bytes", file.bytes());
    }
    json.putObject("limits")
        .put("frameBytes", Protocol.LENGTH_MAX)
        .put("shareBytes", services.shareBytes())
        .put("pingSilenceMs", TimeUnit.NANOSECONDS.toMillis(EngineEndpoint.SILENCE_MAX_NS));
    session.json(MessageType.HELLO_OK, frame.correlationId(), utf8(json));
  }

  private void register(final EngineSession session, final Frame frame) {
    final Space space = spaces.register(JsonBody.text(frame));
    session.spaces.put(space.id(), space);
    final ObjectNode json = RequestJson.MAPPER.createObjectNode();
    json.put("space", space.id());
    json.put("fingerprint", space.fingerprint().toString());
    json.put("chunkTokens", space.chunkTokens());
    json.put("chunkBytes", space.chunkBytes());
    json.put("epoch", Integer.toUnsignedLong(space.epoch()));
    session.json(MessageType.REGISTERED, frame.correlationId(), utf8(json));
  }

  private void acquire(
      final EngineSession session, final EngineInstance instance, final Frame frame) {
    acquire.wrap(frame);
    final ChunkRun run = run(session, acquire.prefix());
    checkAcquisitions(instance);
    endpoint.counters().acquires++;
    session.remember(
        services
            .pulls()
            .acquire(
                ++lastAcquireId,
                instance.owner,
                run,
                services.clock().nanoTime() + TimeUnit.MILLISECONDS.toNanos(acquire.deadlineMs()),
                new AcquireAnswers(session, store, frame.correlationId(), false)));
  }

  private void await(
      final EngineSession session, final EngineInstance instance, final Frame frame) {
    await.wrap(frame);
    final ChunkRun run = run(session, await.prefix());
    checkAcquisitions(instance);
    final Handoffs all = services.handoffs();
    if (!all.mayAwait(await.handoffId())) {
      throw HandoffRequests.inUse(await.handoffId());
    }
    if (!all.mayWait()) {
      throw new RefusedException(ErrorCode.TOO_MANY, "hand-offs awaited before they are offered");
    }
    session.remember(
        all.await(
            await.handoffId(),
            ++lastAcquireId,
            instance.owner,
            run,
            services.clock().nanoTime() + TimeUnit.MILLISECONDS.toNanos(await.deadlineMs()),
            new AcquireAnswers(session, store, frame.correlationId(), true)));
  }

  private static void checkAcquisitions(final EngineInstance instance) {
    if (instance.acquisitions >= ACQUISITIONS_MAX) {
      throw new RefusedException(
          ErrorCode.TOO_MANY, "open acquisitions (limit=" + ACQUISITIONS_MAX + ")");
    }
  }

  private void release(final EngineSession session, final Frame frame) {
    final long acquireId = release.wrap(frame).acquireId();
    final AcquireOperation operation = session.acquisitions.get(acquireId);
    if (operation != null) {
      endpoint.counters().releases++;
      session.forget(operation);
      operation.release();
    }
    final FrameWriter out = session.answer();
    if (out != null) {
      ReleasedBody.encode(
          out,
          frame.correlationId(),
          acquireId,
          operation == null ? ReleaseStatus.UNKNOWN : ReleaseStatus.OK);
    }
  }

  private void reserve(
      final EngineSession session, final EngineInstance instance, final Frame frame) {
    final int count = prefix.wrap(frame).count();
    final ChunkRun run = run(session, prefix);
    final FrameWriter out = session.answer(LIST_HEADER_BYTES + count * RESERVED_ENTRY_BYTES);
    if (out == null) {
      return;
    }
    final Space space = run.space();
    ReservedBody.begin(out, frame.correlationId(), count);
    for (int i = 0; i < count; i++) {
      final int slot =
          i >= run.length()
              ? StoreCodes.NO_SPACE
              : store.reserve(
                  instance.owner,
                  run.key(i),
                  run.group(i),
                  space.id(),
                  space.epoch(),
                  space.chunkBytes());
      if (slot >= 0) {
        instance.reservedSlots.put(slot, space.id());
        ReservedBody.addReserved(out, slot, store.segment(slot), store.segmentOffset(slot));
      } else {
        ReservedBody.addRefused(out, status(slot));
      }
    }
    ReservedBody.end(out);
  }

  private static ReserveStatus status(final int code) {
    return switch (code) {
      case StoreCodes.ALREADY -> ReserveStatus.ALREADY;
      case StoreCodes.BUSY -> ReserveStatus.BUSY;
      case StoreCodes.OVER_SHARE -> ReserveStatus.OVER_SHARE;
      default -> ReserveStatus.NO_SPACE;
    };
  }

  private void commit(
      final EngineSession session, final EngineInstance instance, final Frame frame) {
    final Space space = space(session, slots.wrap(frame).space(), slots.epoch());
    endpoint.counters().commits++;
    final boolean awaitIndex = (frame.flags() & Protocol.FLAG_AWAIT_INDEX) != 0;
    final CommitOperation operation =
        new CommitOperation(session, instance, services, frame.correlationId(), slots.count());
    for (int i = 0; i < slots.count(); i++) {
      final int slot = slots.slot(i);
      if (takeReserved(instance, space, slot)) {
        operation.begin(i, slot, awaitIndex);
      } else {
        operation.refuse(i, slot);
      }
    }
    if (awaitIndex) {
      endpoint.awaitIndex(operation);
    }
    operation.answerIfDone();
  }

  private void abort(
      final EngineSession session, final EngineInstance instance, final Frame frame) {
    final Space space = space(session, slots.wrap(frame).space(), slots.epoch());
    final FrameWriter out = session.answer(LIST_HEADER_BYTES + slots.count() * ABORTED_ENTRY_BYTES);
    if (out == null) {
      return;
    }
    AbortedBody.begin(out, frame.correlationId(), slots.count());
    for (int i = 0; i < slots.count(); i++) {
      final int slot = slots.slot(i);
      final boolean isReserved = takeReserved(instance, space, slot);
      if (isReserved) {
        store.abort(instance.owner, slot);
      }
      AbortedBody.add(out, slot, isReserved ? AbortStatus.OK : AbortStatus.NOT_RESERVED);
    }
    AbortedBody.end(out);
  }

  private static boolean takeReserved(
      final EngineInstance instance, final Space space, final int slot) {
    if (instance.reservedSlots.get(slot) != space.id()) {
      return false;
    }
    instance.reservedSlots.remove(slot);
    return true;
  }

  static ChunkRun run(final EngineSession session, final PrefixBody body) {
    final Space space = space(session, body.space(), body.epoch());
    try {
      return ChunkRun.derive(
          space,
          body.firstPosition(),
          body.array(),
          body.anchorOffset(),
          body.hashOffset(0),
          body.count());
    } catch (final IllegalArgumentException e) {
      throw new RefusedException(ErrorCode.INVALID_ARGUMENT, String.valueOf(e.getMessage()));
    }
  }

  private static Space space(final EngineSession session, final int id, final int epoch) {
    final Space space = session.spaces.get(id);
    if (space == null) {
      throw new RefusedException(ErrorCode.UNKNOWN_SPACE, "space=" + id);
    }
    if (epoch < space.epoch()) {
      throw new RefusedException(
          ErrorCode.STALE_EPOCH, "epoch=" + epoch + " (current=" + space.epoch() + ")");
    }
    if (epoch > space.epoch()) {
      throw new RefusedException(
          ErrorCode.INVALID_ARGUMENT, "epoch=" + epoch + " (current=" + space.epoch() + ")");
    }
    return space;
  }

  private static void empty(
      final EngineSession session, final MessageType type, final int correlationId) {
    final FrameWriter out = session.answer();
    if (out != null) {
      EmptyBody.encode(out, type, correlationId);
    }
  }

  private static byte[] utf8(final ObjectNode json) {
    return json.toString().getBytes(StandardCharsets.UTF_8);
  }
}
