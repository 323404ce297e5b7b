package io.kvasir.connectors.client;

import io.kvasir.connectors.protocol.EmptyBody;
import io.kvasir.connectors.protocol.ErrorBody;
import io.kvasir.connectors.protocol.Frame;
import io.kvasir.connectors.protocol.FrameReader;
import io.kvasir.connectors.protocol.FrameWriter;
import io.kvasir.connectors.protocol.MalformedFrameException;
import io.kvasir.connectors.protocol.MessageType;
import io.kvasir.connectors.protocol.Protocol;
import io.kvasir.connectors.protocol.Side;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One socket to the node. The calling thread sends its request and reads frames until its answer is
 * there; no other thread lies between. Any trouble breaks the connection for good: after a time-out
 * nobody can tell what a later answer belongs to. All methods but {@link #close} and {@link #poll}
 * need the {@link #lock}.
 */
final class Connection implements AutoCloseable {
  private static final int PENDING_BYTES_MAX = 2 * (Protocol.LENGTH_MAX + Integer.BYTES);
  private static final long NANOS_PER_MILLI = 1_000_000L;

  /**
   * How long an answer is looked for before the thread sleeps: most answers are there within it,
   * and to wake a thread on an idle core of a virtual machine takes longer.
   */
  private static final long LINGER_NS = 50_000;

  private final ReentrantLock lock = new ReentrantLock();
  private final FrameReader reader = new FrameReader(Side.NODE);
  private final FrameWriter writer = new FrameWriter(PENDING_BYTES_MAX);
  private final Path socket;
  private final SocketChannel channel;
  private final Selector selector;
  private final SelectionKey key;
  private final Consumer<Frame> onPush;
  private int lastCorrelationId;
  private volatile boolean closed;

  private Connection(
      Path socket,
      SocketChannel channel,
      Selector selector,
      SelectionKey key,
      Consumer<Frame> onPush) {
    this.socket = socket;
    this.channel = channel;
    this.selector = selector;
    this.key = key;
    this.onPush = onPush;
  }

  /**
   * Connects.
   *
   * @param onPush takes READY, ACQUIRE_END and NODE_STATE; called under the lock
   */
  static Connection open(Path socket, long deadlineNs, Consumer<Frame> onPush) {
    @Nullable SocketChannel channel = null;
    @Nullable Selector selector = null;
    try {
      channel = SocketChannel.open(StandardProtocolFamily.UNIX);
      channel.configureBlocking(false);
      selector = Selector.open();
      final SelectionKey key = channel.register(selector, SelectionKey.OP_CONNECT);
      final Connection connection = new Connection(socket, channel, selector, key, onPush);
      boolean connected = channel.connect(UnixDomainSocketAddress.of(socket));
      while (!connected) {
        connection.await(SelectionKey.OP_CONNECT, System.nanoTime(), deadlineNs);
        connected = channel.finishConnect();
      }
      key.interestOps(SelectionKey.OP_READ);
      return connection;
    } catch (IOException | UnsupportedOperationException e) {
      closeQuietly(channel, selector);
      throw new NodeUnavailableException(
          "KVA-0510 no node at the socket - socket="
              + socket
              + " cause="
              + e.getMessage()
              + "; start the node or correct the path",
          e);
    } catch (Throwable t) {
      closeQuietly(channel, selector);
      throw t;
    }
  }

  void lock() {
    lock.lock();
  }

  void unlock() {
    lock.unlock();
  }

  boolean isOpen() {
    return !closed;
  }

  /** Where the next request is encoded; {@link #reply} sends it. */
  FrameWriter writer() {
    if (closed) {
      throw new NodeUnavailableException(
          "KVA-0516 the connection is closed - socket=" + socket + "; connect again", null);
    }
    return writer;
  }

  /** An id for the next request. */
  int nextCorrelationId() {
    lastCorrelationId = lastCorrelationId == -1 ? 1 : lastCorrelationId + 1;
    return lastCorrelationId;
  }

  /**
   * Sends what has been encoded and waits for the answer to the last request.
   *
   * @return the answer, valid until the connection is used again
   * @throws KvasirProtocolException if the answer is an error
   */
  Frame reply(MessageType request, long deadlineNs) {
    try {
      Frame frame = take(lastCorrelationId);
      final long lingerUntilNs = System.nanoTime() + LINGER_NS;
      while (frame == null) {
        exchange(deadlineNs, lingerUntilNs);
        frame = take(lastCorrelationId);
      }
      if (frame.type() == MessageType.ERROR) {
        throw refused(request, new ErrorBody().wrap(frame));
      }
      if (frame.type() != request.reply()) {
        throw nonsense("request=" + request + " reply=" + frame.type(), null);
      }
      return frame;
    } catch (MalformedFrameException e) {
      throw nonsense("cause=" + e.getMessage(), e);
    }
  }

  /** Handles pushes until the condition holds. */
  void awaitPushes(BooleanSupplier done, long deadlineNs) {
    writer();
    try {
      take(0);
      while (!done.getAsBoolean()) {
        exchange(deadlineNs, System.nanoTime());
        take(0);
      }
    } catch (MalformedFrameException e) {
      throw nonsense("cause=" + e.getMessage(), e);
    }
  }

  /** Handles what has come while no call is under way, above all PING. Never waits. */
  void poll() {
    if (!lock.tryLock()) {
      return;
    }
    try {
      if (closed) {
        return;
      }
      do {
        take(0);
        writer.flushTo(channel);
      } while (read() > 0);
    } catch (IOException | MalformedFrameException | KvasirException e) {
      // The next call finds the connection closed and reports it.
      close();
    } finally {
      lock.unlock();
    }
  }

  /** The node said something that it must not say. */
  NodeUnavailableException nonsense(String what, @Nullable Throwable cause) {
    return broken("KVA-0513 not a Kvasir node, or a broken one", what, cause);
  }

  /** Closes the socket; a call under way fails. */
  @Override
  public void close() {
    closed = true;
    closeQuietly(channel, selector);
  }

  /** Handles frames that are complete, up to the one with the awaited correlation id. */
  private @Nullable Frame take(int awaited) {
    for (Frame frame = reader.next(); frame != null; frame = reader.next()) {
      if (frame.type() == MessageType.PING) {
        EmptyBody.encode(writer, MessageType.PONG, frame.correlationId());
      } else if (frame.type().isPush()) {
        onPush.accept(frame);
      } else if (awaited != 0 && frame.correlationId() == awaited) {
        return frame;
      } else if (frame.type() == MessageType.ERROR) {
        throw refused(null, new ErrorBody().wrap(frame));
      } else {
        throw nonsense(
            "unexpected=" + frame.type() + " correlationId=" + frame.correlationId(), null);
      }
    }
    return null;
  }

  /** Sends what waits, waits for the socket, reads what has come. */
  private void exchange(long deadlineNs, long lingerUntilNs) {
    try {
      final boolean sent = writer.flushTo(channel);
      await(
          sent ? SelectionKey.OP_READ : SelectionKey.OP_READ | SelectionKey.OP_WRITE,
          lingerUntilNs,
          deadlineNs);
      read();
    } catch (IOException e) {
      throw lost(e);
    }
  }

  private int read() throws IOException {
    final int bytes = reader.readFrom(channel);
    if (bytes < 0) {
      throw lost(null);
    }
    return bytes;
  }

  /** Waits for the socket, awake until the first of the two times. */
  // The node may need this core to answer.
  @SuppressWarnings("ThreadPriorityCheck")
  private void await(int operations, long lingerUntilNs, long deadlineNs) throws IOException {
    final long leftNs = deadlineNs - System.nanoTime();
    if (leftNs <= 0) {
      throw broken("KVA-0512 the node does not answer in time", "overdueNs=" + -leftNs, null);
    }
    try {
      if (key.interestOps() != operations) {
        key.interestOps(operations);
      }
      int selected = 0;
      while (selected == 0 && lingerUntilNs - System.nanoTime() > 0) {
        Thread.yield();
        selected = selector.selectNow(Connection::onSelected);
      }
      if (selected == 0) {
        selector.select(Connection::onSelected, Math.max(1, leftNs / NANOS_PER_MILLI));
      }
    } catch (ClosedSelectorException | CancelledKeyException e) {
      throw broken("KVA-0516 the connection was closed during a call", "", e);
    }
    if (Thread.currentThread().isInterrupted()) {
      throw broken("KVA-0515 interrupted while waiting for the node", "", null);
    }
  }

  /** One key, one thread: that the wait is over is all there is to know. */
  private static void onSelected(SelectionKey key) {}

  private KvasirException refused(@Nullable MessageType request, ErrorBody error) {
    final KvasirProtocolException refusal =
        new KvasirProtocolException(request == null ? "none" : request.name(), error);
    final var code = refusal.errorCode();
    if (request == null
        || request == MessageType.HELLO
        || code == null
        || code.closesConnection()) {
      close();
    }
    return refusal;
  }

  private NodeUnavailableException lost(@Nullable IOException cause) {
    return broken("KVA-0511 connection lost", "", cause);
  }

  private NodeUnavailableException broken(String what, String values, @Nullable Throwable cause) {
    close();
    return new NodeUnavailableException(
        what + " - socket=" + socket + " " + values + "; count it as a miss and connect again",
        cause);
  }

  private static void closeQuietly(@Nullable SocketChannel channel, @Nullable Selector selector) {
    try {
      if (channel != null) {
        channel.close();
      }
    } catch (IOException ignored) {
      // A socket that cannot be closed is closed.
    }
    try {
      if (selector != null) {
        selector.close();
      }
    } catch (IOException ignored) {
      // Likewise.
    }
  }
}
