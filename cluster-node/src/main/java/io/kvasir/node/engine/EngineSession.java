package io.kvasir.node.engine;

import io.kvasir.connectors.protocol.EmptyBody;
import io.kvasir.connectors.protocol.ErrorBody;
import io.kvasir.connectors.protocol.ErrorCode;
import io.kvasir.connectors.protocol.Frame;
import io.kvasir.connectors.protocol.FrameReader;
import io.kvasir.connectors.protocol.FrameWriter;
import io.kvasir.connectors.protocol.JsonBody;
import io.kvasir.connectors.protocol.MalformedFrameException;
import io.kvasir.connectors.protocol.MessageType;
import io.kvasir.connectors.protocol.Protocol;
import io.kvasir.connectors.protocol.Side;
import io.kvasir.node.peer.AcquireOperation;
import io.kvasir.node.peer.Space;
import java.io.IOException;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import org.agrona.collections.Int2ObjectHashMap;
import org.agrona.collections.Long2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * One engine socket: frames in, frames out, and what the engine has open on it. Answers are written
 * at once and wait in a bounded buffer when the engine does not read. Node agent only.
 */
final class EngineSession {
  /** Answers that wait for the engine to read; room for one frame of the largest size and more. */
  private static final int PENDING_BYTES_MAX = Protocol.LENGTH_MAX + (1 << 20);

  /** The largest fixed body and a detail text fit. */
  private static final int SMALL_BODY_BYTES = 8 + Protocol.ERROR_DETAIL_BYTES_MAX;

  final long id;
  final SocketChannel channel;
  final Int2ObjectHashMap<Space> spaces = new Int2ObjectHashMap<>();
  final Long2ObjectHashMap<AcquireOperation> acquisitions = new Long2ObjectHashMap<>();
  private final EngineEndpoint endpoint;
  private final SelectionKey key;
  private final FrameReader reader = new FrameReader(Side.ENGINE);
  private final FrameWriter writer = new FrameWriter(PENDING_BYTES_MAX);
  private final long openedNs;
  private @Nullable EngineInstance instance;
  private boolean isScheduler;
  private boolean isClosing;
  private boolean isClosed;
  private boolean isPinged;
  private boolean isDirty;
  private long heardNs;

  EngineSession(
      final EngineEndpoint endpoint,
      final long id,
      final SocketChannel channel,
      final SelectionKey key,
      final long nowNs) {
    this.endpoint = endpoint;
    this.id = id;
    this.channel = channel;
    this.key = key;
    this.openedNs = nowNs;
    this.heardNs = nowNs;
  }

  boolean isOpen() {
    return !isClosed && !isClosing;
  }

  /** Null until HELLO. */
  @Nullable EngineInstance instance() {
    return instance;
  }

  /** HELLO was accepted. */
  void greeted(final EngineInstance newInstance, final boolean scheduler) {
    instance = newInstance;
    isScheduler = scheduler;
  }

  /** Answers read or written that this session keeps in memory. */
  long bufferedBytes() {
    return (long) reader.bufferedBytes() + writer.pendingBytes();
  }

  /** Reads once and handles every complete frame. */
  void readable(final EngineRequests requests, final long nowNs) {
    try {
      final int bytes = reader.readFrom(channel);
      if (bytes < 0) {
        close();
        return;
      }
      heardNs = nowNs;
      isPinged = false;
      for (Frame frame = reader.next(); frame != null && isOpen(); frame = reader.next()) {
        requests.handle(this, frame);
      }
      endpoint.checkMemory(this);
    } catch (final MalformedFrameException e) {
      endpoint.counters().malformedFrames++;
      error(e.correlationId(), e.errorCode(), String.valueOf(e.getMessage()));
    } catch (final IOException e) {
      // The engine is gone; that is how most sessions end.
      close();
    }
    flush();
  }

  /** Sends what waits, as far as the socket takes it. */
  void flush() {
    isDirty = false;
    if (isClosed) {
      return;
    }
    try {
      final boolean isSent = writer.flushTo(channel);
      if (isClosing) {
        close();
        return;
      }
      final int interest =
          isSent ? SelectionKey.OP_READ : SelectionKey.OP_READ | SelectionKey.OP_WRITE;
      if (key.interestOps() != interest) {
        key.interestOps(interest);
      }
    } catch (final IOException e) {
      close();
    }
  }

  /** Asks a silent engine whether it is there, and closes one that does not answer. */
  void checkLiveness(final long nowNs) {
    final long silentNs = nowNs - heardNs;
    final boolean isMute = instance == null && nowNs - openedNs >= EngineEndpoint.HELLO_MAX_NS;
    if (isMute || silentNs >= EngineEndpoint.SILENCE_MAX_NS) {
      endpoint.counters().silentSockets++;
      close();
    } else if (silentNs >= EngineEndpoint.PING_AFTER_NS && !isPinged && instance != null) {
      isPinged = true;
      final FrameWriter out = answer();
      if (out != null) {
        EmptyBody.encode(out, MessageType.PING, 1);
      }
    }
  }

  /**
   * The writer for one small answer, or null if the session is closed or its engine does not read.
   */
  @Nullable FrameWriter answer() {
    return answer(SMALL_BODY_BYTES);
  }

  /** As {@link #answer()}, for a body of this length. */
  @Nullable FrameWriter answer(final int bodyBytes) {
    if (!isOpen()) {
      return null;
    }
    if (!isDirty) {
      isDirty = true;
      endpoint.dirty(this);
    }
    if (!writer.hasRoomFor(bodyBytes)) {
      endpoint.counters().slowReaders++;
      isClosing = true;
      return null;
    }
    return writer;
  }

  void json(final MessageType type, final int correlationId, final byte[] utf8) {
    final FrameWriter out = answer(utf8.length);
    if (out != null) {
      JsonBody.encode(out, type, correlationId, utf8);
    }
  }

  void error(final int correlationId, final ErrorCode code, final String detail) {
    error(correlationId, code, detail, code.closesConnection());
  }

  void error(
      final int correlationId, final ErrorCode code, final String detail, final boolean thenClose) {
    final FrameWriter out = answer();
    if (out != null) {
      ErrorBody.encode(out, correlationId, code, detail);
    }
    isClosing |= thenClose;
  }

  /** Closes when the answers written so far are sent, or cannot be. */
  void closeAfterFlush() {
    isClosing = true;
  }

  /** Gives up everything the engine has open here. */
  void close() {
    if (isClosed) {
      return;
    }
    isClosed = true;
    try {
      channel.close();
    } catch (final IOException e) {
      EngineEndpoint.LOG.debug("closing engine socket failed - session={}", id, e);
    }
    if (instance != null) {
      for (final AcquireOperation operation :
          acquisitions.values().toArray(new AcquireOperation[0])) {
        forget(operation);
        operation.release();
      }
      endpoint.instances().closed(instance, isScheduler);
    }
    endpoint.closed(this);
  }

  /** The acquisition is open here until {@link #forget}. */
  void remember(final AcquireOperation operation) {
    acquisitions.put(operation.id(), operation);
    if (instance != null) {
      instance.acquisitions++;
    }
  }

  /** The acquisition is no longer open here. */
  void forget(final AcquireOperation operation) {
    if (acquisitions.remove(operation.id()) != null && instance != null) {
      instance.acquisitions--;
    }
  }
}
