package io.kvasir.connectors.protocol;

/** Why loading all, some or none of the found chunks is worth it. */
public enum LoadAdvice {
  /** All of them come sooner than they are computed. */
  ALL(0),
  /** The engine did not say how fast it computes, or from a holder nothing has come yet. */
  UNKNOWN(1),
  /** Beyond those worth loading, the holder's chunks come slower than they are computed. */
  BANDWIDTH(2),
  /** The holder takes longer to begin than is won after it has begun. */
  LATENCY(3),
  /** Too much is on its way from the holder already. */
  QUEUE(4),
  /** No holder answers at present. */
  UNREACHABLE(5);

  /** In the order of their codes, which start at 0. */
  private static final LoadAdvice[] VALUES = values();

  static final int COUNT = VALUES.length;

  private final int code;

  LoadAdvice(int code) {
    this.code = code;
  }

  static LoadAdvice of(int code) {
    return VALUES[code];
  }

  /** The code on the wire. */
  public int code() {
    return code;
  }
}
