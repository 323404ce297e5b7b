package io.kvasir.connectors.protocol;

/** The outcome of COMMIT for one slot. */
public enum CommitStatus {
  /** Checksum and directory entry are written. */
  COMMITTED(0),
  /** The slot is not reserved by this engine instance. */
  NOT_RESERVED(1),
  /** The node could not commit; the reservation is gone. */
  FAILED(2);

  /** In the order of their codes, which start at 0. */
  private static final CommitStatus[] VALUES = values();

  static final int COUNT = VALUES.length;

  private final int code;

  CommitStatus(int code) {
    this.code = code;
  }

  static CommitStatus of(int code) {
    return VALUES[code];
  }

  /** The code on the wire. */
  public int code() {
    return code;
  }
}
