package io.kvasir.transport;

/**
 * Keeps a class of traffic at or below a rate: a token bucket that a segment may overdraw and the
 * next ones pay back, so that the rate is exact however long segments are. It holds one millisecond
 * of the rate, since what gathers in a pause would otherwise look like a faster link. Lane thread
 * only; allocates nothing.
 */
final class RateCap {
  private static final double NANOS_PER_SECOND = 1e9;
  private static final double HOLDS_NS = 1e6;

  private final double bytesPerNs;
  private double level;
  private long filledNs;

  /**
   * A full bucket.
   *
   * @param bytesPerSecond the rate, 0 for no cap.
   */
  RateCap(long bytesPerSecond, long nowNs) {
    bytesPerNs = bytesPerSecond / NANOS_PER_SECOND;
    level = bytesPerNs * HOLDS_NS;
    filledNs = nowNs;
  }

  /** Once a turn, before anything is sent. */
  void fill(long nowNs) {
    if (bytesPerNs > 0) {
      level = Math.min(bytesPerNs * HOLDS_NS, level + (nowNs - filledNs) * bytesPerNs);
      filledNs = nowNs;
    }
  }

  /** Whether a segment may go now. */
  boolean isOpen() {
    return bytesPerNs == 0 || level > 0;
  }

  /** A segment went. */
  void sent(int bytes) {
    if (bytesPerNs > 0) {
      level -= bytes;
    }
  }
}
