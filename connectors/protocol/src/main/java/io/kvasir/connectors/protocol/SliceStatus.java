package io.kvasir.connectors.protocol;

/** The outcome of COMMIT_SLICE for one slice. */
public enum SliceStatus {
  /** Its checksum is taken and it may be sent; with a version, its whole chunk is committed. */
  COMMITTED(0),
  /** The slot is not reserved by this engine instance for a chunk of the hand-off. */
  NOT_RESERVED(1),
  /** Committed before, beyond the chunk, or the node could not; the chunk is not handed off. */
  FAILED(2),
  /** The hand-off has ended or never was; a slot without a committed slice is still reserved. */
  GONE(3);

  /** In the order of their codes, which start at 0. */
  private static final SliceStatus[] VALUES = values();

  static final int COUNT = VALUES.length;

  private final int code;

  SliceStatus(int code) {
    this.code = code;
  }

  static SliceStatus of(int code) {
    return VALUES[code];
  }

  /** The code on the wire. */
  public int code() {
    return code;
  }
}
