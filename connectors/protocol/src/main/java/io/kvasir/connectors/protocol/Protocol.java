package io.kvasir.connectors.protocol;

/** Constants of version 1 of the engine protocol ({@code docs/spec/engine-protocol.md}). */
public final class Protocol {
  /** Version in every frame header. */
  public static final int VERSION = 1;

  /** Length field, version, type, flags and correlation id. */
  public static final int HEADER_BYTES = 12;

  /** Smallest value of the length field: the header after that field, no body. */
  public static final int LENGTH_MIN = 8;

  /** Largest value of the length field. */
  public static final int LENGTH_MAX = 16 * 1024 * 1024;

  /** Largest body. */
  public static final int BODY_BYTES_MAX = LENGTH_MAX - LENGTH_MIN;

  /** Bytes of one content hash. */
  public static final int HASH_BYTES = 32;

  /** Most chunks or slots that one message may name. */
  public static final int ENTRIES_MAX = 262_144;

  /** Longest deadline of ACQUIRE, AWAIT and CREATE_HANDOFF, in milliseconds. */
  public static final int DEADLINE_MS_MAX = 600_000;

  /** Most nodes that one hand-off may name. */
  public static final int RECEIVERS_MAX = 8;

  /** Largest body of HELLO and REGISTER. */
  public static final int REQUEST_JSON_BYTES_MAX = 64 * 1024;

  /** Longest detail of ERROR, in bytes of UTF-8. */
  public static final int ERROR_DETAIL_BYTES_MAX = 4096;

  /** LOOKUP: answer from this node's slab alone. */
  public static final int FLAG_LOCAL_ONLY = 1;

  /** FOUND: the cluster's index did not answer in time, so peers may have more. */
  public static final int FLAG_PARTIAL = 1;

  /** COMMIT: answer when the cluster's index names this node as a holder. */
  public static final int FLAG_AWAIT_INDEX = 1;

  /** END_HANDOFF: nothing of the hand-off shall arrive any more. */
  public static final int FLAG_CANCEL = 1;

  private Protocol() {}
}
