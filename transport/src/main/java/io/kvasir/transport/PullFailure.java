package io.kvasir.transport;

/** Why a chunk of a pull did not arrive. The code travels on the wire: append only. */
public enum PullFailure {
  /** The holder does not have the chunk. */
  MISSING(1),
  /** The session is open but nothing came from the holder for the silence limit. */
  SILENT(2),
  /** The deadline of the pull passed. */
  DEADLINE(3),
  /** The reader cancelled, or its transport closed. */
  CANCELLED(4),
  /** The holder has the chunk in another version than the one asked for. */
  VERSION_MISMATCH(5),
  /** The holder's chunk has another length than the reserved slot. */
  LENGTH_MISMATCH(6),
  /** The holder broke the protocol; nothing of its data counts. */
  PROTOCOL(7),
  /** No session: nobody answers at the endpoint, it refuses us, or it closed the session. */
  UNREACHABLE(8),
  /** A limit of the holder or of this node is reached. */
  OVERLOADED(9),
  /** The holder knows a later epoch of the namespace. */
  STALE_EPOCH(10),
  /** All bytes came, but their checksum is not the one that the holder named. */
  CORRUPT(11);

  private static final PullFailure[] BY_CODE = new PullFailure[12];

  static {
    for (PullFailure failure : values()) {
      BY_CODE[failure.code] = failure;
    }
  }

  private final int code;

  PullFailure(int code) {
    this.code = code;
  }

  /** The number on the wire. */
  public int code() {
    return code;
  }

  /** The failure of a wire code; a code of no failure is itself a breach of the protocol. */
  public static PullFailure ofCode(int code) {
    return code > 0 && code < BY_CODE.length ? BY_CODE[code] : PROTOCOL;
  }
}
