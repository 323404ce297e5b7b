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
 * How the lane waits. Without transfers it sleeps in a selector over the sockets of its own media
 * driver, so a datagram ends the wait at once; the driver's timers bound it. With transfers in
 * flight it yields a few times, then naps shortly: several segments gather meanwhile, and on a
 * small machine the thread that answers and the peer want the core (waking for each segment moved a
 * third less). The sockets of an external driver are not to be seen: then it naps without transfers
 * too, longer and longer up to a millisecond. Other threads end every wait by {@link #wake}.
 *
 * <p>Lane thread only, except {@link #wake}.
 */
final class LaneIdle implements AutoCloseable {
  private static final int YIELDS_ACTIVE = 5;
  private static final int YIELDS = 1;
  private static final long SELECT_MS = 4;
  private static final long NAP_MIN_NS = 50_000;
  private static final long NAP_MAX_NS = 1_000_000;

  private final Selector selector;
  private final Consumer<SelectionKey> onReady = this::ready; // a field: no allocation per wait
  private volatile @Nullable Thread thread;
  private volatile boolean isNapping;
  private volatile boolean isSelecting;
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
    if (isSelecting) {
      selector.wakeup();
    } else if (isNapping) {
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
    if (yields < (isActive ? YIELDS_ACTIVE : YIELDS)) {
      yields++;
      Thread.yield();
      return;
    }
    if (isActive || selector.keys().isEmpty()) {
      napNs = isActive ? NAP_MIN_NS : Math.min(2 * napNs, NAP_MAX_NS);
      nap();
    } else {
      select();
    }
    if (isWoken) {
      isWoken = false;
      yields = 0;
      napNs = NAP_MIN_NS;
    }
  }

  private void nap() {
    isNapping = true;
    if (!isWoken) {
      LockSupport.parkNanos(this, napNs);
    }
    isNapping = false;
  }

  private void select() {
    isSelecting = true;
    try {
      if (!isWoken) {
        selector.select(onReady, SELECT_MS);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      isSelecting = false;
    }
  }

  /** The driver finds out by itself what is ready; only that something is counts here. */
  private void ready(SelectionKey key) {
    yields = 0;
  }

  @Override
  public void close() throws IOException {
    selector.close();
  }
}
