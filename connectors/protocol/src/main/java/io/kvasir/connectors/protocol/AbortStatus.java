package io.kvasir.connectors.protocol;

/** The outcome of ABORT for one slot. */
public enum AbortStatus {
  /** The reservation is gone. */
  OK(0),
  /** The slot is not reserved by this engine instance. */
  NOT_RESERVED(1);

  /** In the order of their codes, which start at 0. */
  private static final AbortStatus[] VALUES = values();

  static final int COUNT = VALUES.length;

  private final int code;

  AbortStatus(int code) {
    this.code = code;
  }

  static AbortStatus of(int code) {
    return VALUES[code];
  }

  /** The code on the wire. */
  public int code() {
    return code;
  }
}
