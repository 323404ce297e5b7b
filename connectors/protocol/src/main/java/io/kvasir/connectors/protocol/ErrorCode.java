package io.kvasir.connectors.protocol;

import org.jspecify.annotations.Nullable;

/**
 * The error table of the protocol. An error is <em>definite</em> when certainly nothing happened,
 * and worth a <em>retry</em> when the same request may succeed later.
 */
public enum ErrorCode {
  /** The frame cannot be parsed. */
  MALFORMED(1, true, false, true),
  /** No protocol version in common. */
  VERSION_MISMATCH(2, true, false, true),
  /** A type that does not exist or that the sender may not send. */
  UNKNOWN_TYPE(3, true, false, true),
  /** Longer than the limit of the protocol or of the message. */
  FRAME_TOO_LARGE(4, true, false, true),
  /** HELLO is missing or came twice. */
  NOT_GREETED(5, true, false, true),
  /** The peer runs under another user. */
  FORBIDDEN(6, true, false, true),
  /** The space is not registered on this socket. */
  UNKNOWN_SPACE(7, true, false, false),
  /** The namespace's epoch has been raised. */
  STALE_EPOCH(8, true, false, false),
  /** The namespace is registered with another chunk size. */
  LAYOUT_MISMATCH(9, true, false, false),
  /** A value is out of its range. */
  INVALID_ARGUMENT(10, true, false, false),
  /** A limit on sockets, spaces or acquisitions is reached. */
  TOO_MANY(11, true, true, false),
  /** The chunk can never fit into the slab or a share of it. */
  CHUNK_TOO_LARGE(12, true, false, false),
  /** The node is stopping. */
  SHUTTING_DOWN(13, true, true, false),
  /** The node failed; the outcome is unknown. */
  INTERNAL(14, false, true, true),
  /** The hand-off id was used before, or is awaited by someone else. */
  HANDOFF_IN_USE(15, true, false, false);

  private static final ErrorCode[] VALUES = values();

  private final int code;
  private final boolean definite;
  private final boolean retry;
  private final boolean closesConnection;

  ErrorCode(int code, boolean definite, boolean retry, boolean closesConnection) {
    this.code = code;
    this.definite = definite;
    this.retry = retry;
    this.closesConnection = closesConnection;
  }

  /** The error with this code, or null for one that a later version may have added. */
  public static @Nullable ErrorCode of(int code) {
    return code >= 1 && code <= VALUES.length ? VALUES[code - 1] : null;
  }

  /** The code on the wire. */
  public int code() {
    return code;
  }

  /** Certainly nothing happened. */
  public boolean definite() {
    return definite;
  }

  /** The same request may succeed later. */
  public boolean retry() {
    return retry;
  }

  /** The node closes the socket after it has sent this error. An error to HELLO always closes. */
  public boolean closesConnection() {
    return closesConnection;
  }
}
