package io.kvasir.transport;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * How the lane waits. After a few yields it sleeps in a selector over the sockets of its own media
 * driver, so a datagram ends the wait at once; other threads end it by {@link #wake}. The driver's
 * timers bound it. The sockets of an external driver are not to be seen: then it naps instead,
 * shortly while transfers are in flight, and longer and longer up to a millisecond without.
 *
 * <p>Lane thread only, except {@link #wake}.
 */
final class LaneIdle implements AutoCloseable {
  private static final int YIELDS = 5;
  private static final long SELECT_ACTIVE_MS = 1;
  private static final long SELECT_MS = 4;
  private static final long NAP_MIN_NS = 50_000;
  private static final long NAP_MAX_NS = 1_000_000;

  private final Selector selector;
  private final Consumer<SelectionKey> onReady = this::ready; // a field: no allocation per wait
  private volatile @Nullable Thread thread;
  private volatile boolean isNapping;
  private volatile boolean isWoken;
  private int yields;
  private long napNs = NAP_MIN_NS;

  LaneIdle() {
    try {
      selector = Selector.open();
    } catch (IOException e) {
      throw new UncheckedIOException("KVA-0415 transport not started - no selector", e);
    }
  }

  void attach(Thread lane) {
    thread = lane;
  }

  /** From now on a datagram for this socket ends a wait. */
  void watch(DatagramChannel socket) {
    try {
      socket.register(selector, SelectionKey.OP_READ);
    } catch (ClosedChannelException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Lets go of sockets that were closed: until then they keep their ports. */
  void forgetClosed() {
    try {
      selector.selectNow(onReady);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Any thread: there is something to do. */
  void wake() {
    isWoken = true;
    if (isNapping) {
      selector.wakeup();
      LockSupport.unpark(thread);
    }
  }

  /** After a turn of the lane. */
  // On a small machine the peer, or the thread that answers, may need this core to make progress.
  @SuppressWarnings("ThreadPriorityCheck")
  void idle(int work, boolean isActive) {
    if (work > 0) {
      yields = 0;
      napNs = NAP_MIN_NS;
      return;
    }
    if (yields < YIELDS) {
      yields++;
      Thread.yield();
      return;
    }
    isNapping = true;
    if (!isWoken) {
      sleep(isActive);
    }
    isNapping = false;
    if (isWoken) {
      isWoken = false;
      yields = 0;
      napNs = NAP_MIN_NS;
    }
  }

  /** The driver finds out by itself what is ready; only that something is counts here. */
  private void ready(SelectionKey key) {
    yields = 0;
  }

  private void sleep(boolean isActive) {
    if (selector.keys().isEmpty()) {
      napNs = isActive ? NAP_MIN_NS : Math.min(2 * napNs, NAP_MAX_NS);
      LockSupport.parkNanos(this, napNs);
      return;
    }
    try {
      selector.select(onReady, isActive ? SELECT_ACTIVE_MS : SELECT_MS);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() throws IOException {
    selector.close();
  }
}
