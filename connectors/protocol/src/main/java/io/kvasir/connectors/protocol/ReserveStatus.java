package io.kvasir.connectors.protocol;

/** The outcome of RESERVE for one chunk. */
public enum ReserveStatus {
  /** The engine may write into the slot. */
  RESERVED(0),
  /** The chunk is committed on this node. */
  ALREADY(1),
  /** Someone else is writing it. */
  BUSY(2),
  /** The slab is full and nothing can be evicted. */
  NO_SPACE(3),
  /** The engine's share of the slab is used up. */
  OVER_SHARE(4);

  /** In the order of their codes, which start at 0. */
  private static final ReserveStatus[] VALUES = values();

  static final int COUNT = VALUES.length;

  private final int code;

  ReserveStatus(int code) {
    this.code = code;
  }

  static ReserveStatus of(int code) {
    return VALUES[code];
  }

  /** The code on the wire. */
  public int code() {
    return code;
  }
}
