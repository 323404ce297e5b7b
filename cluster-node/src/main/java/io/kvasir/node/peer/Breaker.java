package io.kvasir.node.peer;

/**
 * Circuit breaker of one peer: whoever did not answer twice in a row is not asked for a while, then
 * once, and again only if it answers. Node agent only.
 *
 * <pre>
 *   CLOSED --two pulls in a row failed--&gt; OPEN --a second later, asked once--&gt; HALF_OPEN
 *      ^-----------------------------------------------------------answered---------/
 *                                          ^--failed: for twice as long-----------/
 * </pre>
 */
final class Breaker {
  /** Where a peer stands; the names are those of STATS. */
  enum State {
    CLOSED,
    OPEN,
    HALF_OPEN
  }

  /** The transport finds out by silence; the second pull fails at once while it lasts. */
  static final int FAILURES_MAX = 2;

  static final long OPEN_MIN_NS = 1_000_000_000L;
  static final long OPEN_MAX_NS = 30_000_000_000L;

  /** The one that was asked to find out may never have come to an answer. */
  static final long PROBE_NS = 3_000_000_000L;

  private State state = State.CLOSED;
  private int failures;
  private long lastFailedPull;
  private long openNs = OPEN_MIN_NS;
  private long untilNs;

  State state() {
    return state;
  }

  /** Whether the peer may be asked now. */
  boolean mayAsk(final long nowNs) {
    return state == State.CLOSED || nowNs - untilNs >= 0;
  }

  /** The peer is being asked. */
  void asked(final long nowNs) {
    if (state != State.CLOSED && mayAsk(nowNs)) {
      state = State.HALF_OPEN;
      untilNs = nowNs + PROBE_NS;
    }
  }

  /** The peer delivered. */
  void answered() {
    state = State.CLOSED;
    failures = 0;
    openNs = OPEN_MIN_NS;
  }

  /**
   * A pull from the peer failed; told for each of its chunks.
   *
   * @return whether that opened it
   */
  boolean failed(final long pullId, final long nowNs) {
    if (state == State.OPEN || pullId == lastFailedPull) {
      return false;
    }
    lastFailedPull = pullId;
    failures++;
    if (state == State.HALF_OPEN) {
      openNs = Math.min(OPEN_MAX_NS, 2 * openNs);
    } else if (failures < FAILURES_MAX) {
      return false;
    }
    state = State.OPEN;
    untilNs = nowNs + openNs;
    return true;
  }
}
