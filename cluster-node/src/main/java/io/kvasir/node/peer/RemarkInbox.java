package io.kvasir.node.peer;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Bounds what peers say faster than the node agent works. Of remarks each session has one: a peer
 * that goes beyond is refused for good, as remarks that are not complete are worth nothing. Any
 * thread.
 */
final class RemarkInbox {
  static final int WAITING_BYTES_MAX = 1 << 20;

  /** What a remark takes beside its body. */
  private static final int REMARK_BYTES = 256;

  private final AtomicInteger waitingBytes = new AtomicInteger();
  private volatile boolean isRefused;

  /** Takes in a remark of this length; false if there is no room for it. */
  boolean take(final int length) {
    return waitingBytes.addAndGet(REMARK_BYTES + length) <= WAITING_BYTES_MAX;
  }

  /** The agent handles a remark that was taken in. */
  void handled(final int length) {
    waitingBytes.addAndGet(-REMARK_BYTES - length);
  }

  /** Takes in nothing any more. */
  void refuse() {
    isRefused = true;
  }

  boolean isRefused() {
    return isRefused;
  }
}
