package io.kvasir.transport;

import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * How the lane waits. With transfers in flight it yields a few times, then naps shortly: on a small
 * machine the thread that answers, the index and the peer want the core, and a nap is short against
 * the receiver's window. Without transfers it naps longer and longer up to a millisecond, and other
 * threads wake it.
 */
final class LaneIdle {
  private static final int YIELDS = 200;
  private static final int ACTIVE_YIELDS = 5;
  private static final long NAP_MIN_NS = 50_000;
  private static final long NAP_ACTIVE_NS = 50_000;
  private static final long NAP_MAX_NS = 1_000_000;

  private volatile @Nullable Thread thread;
  private volatile boolean isNapping;
  private volatile boolean isWoken;
  private int yields;
  private long napNs = NAP_MIN_NS;

  void attach(Thread lane) {
    thread = lane;
  }

  /** Any thread: there is something to do. */
  void wake() {
    isWoken = true;
    if (isNapping) {
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
    if (yields < (isActive ? ACTIVE_YIELDS : YIELDS)) {
      yields++;
      Thread.yield();
      return;
    }
    napNs = isActive ? NAP_ACTIVE_NS : Math.min(2 * napNs, NAP_MAX_NS);
    isNapping = true;
    if (!isWoken) {
      LockSupport.parkNanos(this, napNs);
    }
    isNapping = false;
    if (isWoken) {
      isWoken = false;
      yields = 0;
      napNs = NAP_MIN_NS;
    }
  }
}
