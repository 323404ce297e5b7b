package io.kvasir.connectors.protocol;

/** The answer to RELEASE. */
public enum ReleaseStatus {
  /** What was READY was valid all the time: the load counts. */
  OK(0),
  /** No such acquisition on this socket: nothing counts. */
  UNKNOWN(1);

  /** In the order of their codes, which start at 0. */
  private static final ReleaseStatus[] VALUES = values();

  static final int COUNT = VALUES.length;

  private final int code;

  ReleaseStatus(int code) {
    this.code = code;
  }

  static ReleaseStatus of(int code) {
    return VALUES[code];
  }

  /** The code on the wire. */
  public int code() {
    return code;
  }
}
