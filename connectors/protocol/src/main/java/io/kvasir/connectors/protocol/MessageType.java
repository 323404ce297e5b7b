package io.kvasir.connectors.protocol;

import static io.kvasir.connectors.protocol.Protocol.BODY_BYTES_MAX;
import static io.kvasir.connectors.protocol.Protocol.ENTRIES_MAX;
import static io.kvasir.connectors.protocol.Protocol.REQUEST_JSON_BYTES_MAX;

import org.jspecify.annotations.Nullable;

/**
 * The messages: their code on the wire, who may send them, the flag bits they know and the range of
 * their body length in bytes. What this table rules out is refused before the body has arrived.
 */
public enum MessageType {
  /** First frame of every socket. */
  HELLO(0x01, Kind.REQUEST, Sender.ENGINE, 0, 2, REQUEST_JSON_BYTES_MAX),
  /** Answer to {@link #HELLO}: session, slab segments, limits. */
  HELLO_OK(0x81, Kind.REPLY, Sender.NODE, 0, 2, BODY_BYTES_MAX),
  /** Names a namespace and its chunk size. */
  REGISTER(0x02, Kind.REQUEST, Sender.ENGINE, 0, 2, REQUEST_JSON_BYTES_MAX),
  /** Answer to {@link #REGISTER}: the space id. */
  REGISTERED(0x82, Kind.REPLY, Sender.NODE, 0, 2, BODY_BYTES_MAX),
  /** How many leading chunks exist, and are worth loading? */
  LOOKUP(
      0x10,
      Kind.REQUEST,
      Sender.ENGINE,
      Protocol.FLAG_LOCAL_ONLY,
      LookupBody.lengthOf(1),
      LookupBody.lengthOf(ENTRIES_MAX)),
  /** Answer to {@link #LOOKUP}. */
  FOUND(0x90, Kind.REPLY, Sender.NODE, Protocol.FLAG_PARTIAL, FoundBody.LENGTH, FoundBody.LENGTH),
  /** Make leading chunks resident and pin them. */
  ACQUIRE(
      0x11,
      Kind.REQUEST,
      Sender.ENGINE,
      0,
      AcquireBody.lengthOf(1),
      AcquireBody.lengthOf(ENTRIES_MAX)),
  /** Answer to {@link #ACQUIRE}; pushes follow. */
  ACQUIRED(0x91, Kind.REPLY, Sender.NODE, 0, AcquiredBody.LENGTH, AcquiredBody.LENGTH),
  /** End of an acquisition: the engine no longer reads its slots. */
  RELEASE(0x12, Kind.REQUEST, Sender.ENGINE, 0, ReleaseBody.LENGTH, ReleaseBody.LENGTH),
  /** Answer to {@link #RELEASE}: does the load count? */
  RELEASED(0x92, Kind.REPLY, Sender.NODE, 0, ReleasedBody.LENGTH, ReleasedBody.LENGTH),
  /** As {@link #ACQUIRE}, of chunks that a hand-off brings. */
  AWAIT(
      0x13, Kind.REQUEST, Sender.ENGINE, 0, AwaitBody.lengthOf(1), AwaitBody.lengthOf(ENTRIES_MAX)),
  /** Answer to {@link #AWAIT}; pushes follow. */
  AWAITED(0x93, Kind.REPLY, Sender.NODE, 0, AcquiredBody.LENGTH, AcquiredBody.LENGTH),
  /** Asks for slots to write chunks into. */
  RESERVE(
      0x20,
      Kind.REQUEST,
      Sender.ENGINE,
      0,
      PrefixBody.lengthOf(1),
      PrefixBody.lengthOf(ENTRIES_MAX)),
  /** Answer to {@link #RESERVE}: a status and perhaps a place per chunk. */
  RESERVED(
      0xA0,
      Kind.REPLY,
      Sender.NODE,
      0,
      ReservedBody.lengthOf(1),
      ReservedBody.lengthOf(ENTRIES_MAX)),
  /** All writes into these slots have finished. */
  COMMIT(
      0x21,
      Kind.REQUEST,
      Sender.ENGINE,
      Protocol.FLAG_AWAIT_INDEX,
      SlotsBody.lengthOf(1),
      SlotsBody.lengthOf(ENTRIES_MAX)),
  /** Answer to {@link #COMMIT}: a status and a version per slot. */
  COMMITTED(
      0xA1,
      Kind.REPLY,
      Sender.NODE,
      0,
      CommittedBody.lengthOf(1),
      CommittedBody.lengthOf(ENTRIES_MAX)),
  /** The engine gives reserved slots back. */
  ABORT(
      0x22, Kind.REQUEST, Sender.ENGINE, 0, SlotsBody.lengthOf(1), SlotsBody.lengthOf(ENTRIES_MAX)),
  /** Answer to {@link #ABORT}: a status per slot. */
  ABORTED(
      0xA2, Kind.REPLY, Sender.NODE, 0, AbortedBody.lengthOf(1), AbortedBody.lengthOf(ENTRIES_MAX)),
  /** Chunks will be handed to other nodes, slice by slice. */
  CREATE_HANDOFF(
      0x23,
      Kind.REQUEST,
      Sender.ENGINE,
      0,
      CreateHandoffBody.lengthOf(1, 1),
      CreateHandoffBody.lengthOf(Protocol.RECEIVERS_MAX, ENTRIES_MAX)),
  /** Answer to {@link #CREATE_HANDOFF}. */
  HANDOFF_CREATED(
      0xA3, Kind.REPLY, Sender.NODE, 0, HandoffCreatedBody.LENGTH, HandoffCreatedBody.LENGTH),
  /** All writes into these slices have finished. */
  COMMIT_SLICE(
      0x24,
      Kind.REQUEST,
      Sender.ENGINE,
      0,
      CommitSliceBody.lengthOf(1),
      CommitSliceBody.lengthOf(ENTRIES_MAX)),
  /** Answer to {@link #COMMIT_SLICE}: a status per slice. */
  SLICE_COMMITTED(
      0xA4,
      Kind.REPLY,
      Sender.NODE,
      0,
      SliceCommittedBody.lengthOf(1),
      SliceCommittedBody.lengthOf(ENTRIES_MAX)),
  /** No more slices, or with CANCEL none at all. */
  END_HANDOFF(
      0x25,
      Kind.REQUEST,
      Sender.ENGINE,
      Protocol.FLAG_CANCEL,
      EndHandoffBody.LENGTH,
      EndHandoffBody.LENGTH),
  /** Answer to {@link #END_HANDOFF}. */
  HANDOFF_ENDED(0xA5, Kind.REPLY, Sender.NODE, 0, HandoffEndedBody.LENGTH, HandoffEndedBody.LENGTH),
  /** Asks for counters. */
  STATS(0x30, Kind.REQUEST, Sender.ENGINE, 0, 0, 0),
  /** Answer to {@link #STATS}. */
  STATS_OK(0xB0, Kind.REPLY, Sender.NODE, 0, 2, BODY_BYTES_MAX),
  /** Chunks of an acquisition are resident and pinned. */
  READY(0x40, Kind.PUSH, Sender.NODE, 0, ReadyBody.lengthOf(1), ReadyBody.lengthOf(ENTRIES_MAX)),
  /** No more {@link #READY} will come. */
  ACQUIRE_END(0x41, Kind.PUSH, Sender.NODE, 0, AcquireEndBody.LENGTH, AcquireEndBody.LENGTH),
  /** The node drains or serves. */
  NODE_STATE(0x42, Kind.PUSH, Sender.NODE, 0, 2, BODY_BYTES_MAX),
  /** Are you there? */
  PING(0x70, Kind.REQUEST, Sender.BOTH, 0, 0, 0),
  /** Answer to {@link #PING}. */
  PONG(0xF0, Kind.REPLY, Sender.BOTH, 0, 0, 0),
  /** The engine leaves. */
  GOODBYE(0x71, Kind.REQUEST, Sender.ENGINE, 0, 0, 0),
  /** Answer to {@link #GOODBYE}, the last frame of a socket. */
  GOODBYE_OK(0xF1, Kind.REPLY, Sender.NODE, 0, 0, 0),
  /** Something was refused or failed. */
  ERROR(
      0xFF,
      Kind.ERROR,
      Sender.NODE,
      0,
      ErrorBody.lengthOf(0),
      ErrorBody.lengthOf(Protocol.ERROR_DETAIL_BYTES_MAX));

  private static final @Nullable MessageType[] BY_CODE = new @Nullable MessageType[256];

  static {
    for (final MessageType type : values()) {
      BY_CODE[type.code] = type;
    }
  }

  private final int code;
  private final Kind kind;
  private final Sender sender;
  private final int flagsKnown;
  private final int bodyBytesMin;
  private final int bodyBytesMax;

  MessageType(
      int code, Kind kind, Sender sender, int flagsKnown, int bodyBytesMin, int bodyBytesMax) {
    this.code = code;
    this.kind = kind;
    this.sender = sender;
    this.flagsKnown = flagsKnown;
    this.bodyBytesMin = bodyBytesMin;
    this.bodyBytesMax = bodyBytesMax;
  }

  /**
   * The type with this code, or null.
   *
   * @param code 0 to 255
   */
  public static @Nullable MessageType of(int code) {
    return BY_CODE[code];
  }

  /** The code on the wire, 0 to 255. */
  public int code() {
    return code;
  }

  /** May this side send the message? */
  public boolean isSentBy(Side side) {
    return switch (sender) {
      case BOTH -> true;
      case ENGINE -> side == Side.ENGINE;
      case NODE -> side == Side.NODE;
    };
  }

  /** True for requests, which carry a correlation id and are answered. */
  public boolean isRequest() {
    return kind == Kind.REQUEST;
  }

  /** True for pushes, which carry correlation id 0 and are not answered. */
  public boolean isPush() {
    return kind == Kind.PUSH;
  }

  /** The reply to this request. */
  public MessageType reply() {
    final MessageType reply = isRequest() ? of(code | 0x80) : null;
    if (reply == null) {
      throw new IllegalStateException(this + " has no reply");
    }
    return reply;
  }

  /** The flag bits that have a meaning. */
  public int flagsKnown() {
    return flagsKnown;
  }

  /** Shortest body in bytes. */
  public int bodyBytesMin() {
    return bodyBytesMin;
  }

  /** Longest body in bytes. */
  public int bodyBytesMax() {
    return bodyBytesMax;
  }

  boolean allowsCorrelationId(int correlationId) {
    return switch (kind) {
      case REQUEST, REPLY -> correlationId != 0;
      case PUSH -> correlationId == 0;
      case ERROR -> true;
    };
  }

  private enum Kind {
    REQUEST,
    REPLY,
    PUSH,
    ERROR
  }

  private enum Sender {
    ENGINE,
    NODE,
    BOTH
  }
}
