package io.kvasir.connectors.protocol;

/** Why an acquisition ended. */
public enum EndReason {
  /** All chunks are READY. */
  COMPLETE(0),
  /** The next chunk is nowhere. */
  MISSING(1),
  /** Time ran out. */
  DEADLINE(2),
  /** The slab or the engine's share is full. */
  NO_SPACE(3),
  /** The engine released it early. */
  RELEASED(4),
  /** The node could not get the next chunk. */
  FAILED(5),
  /** The hand-off was cancelled. */
  CANCELLED(6);

  /** In the order of their codes, which start at 0. */
  private static final EndReason[] VALUES = values();

  static final int COUNT = VALUES.length;

  private final int code;

  EndReason(int code) {
    this.code = code;
  }

  static EndReason of(int code) {
    return VALUES[code];
  }

  /** The code on the wire. */
  public int code() {
    return code;
  }
}
