package io.kvasir.connectors.protocol;

/**
 * HANDOFF_CREATED: slices may be committed now.
 *
 * <pre>
 *  offset  type  field
 *  0       u64   handoffId
 *  8       u32   receivers: how many of the named nodes are members now and were told
 *  12      u32   zero
 * </pre>
 */
public final class HandoffCreatedBody extends Body {
  static final int LENGTH = 16;

  private static final int RECEIVERS = 8;

  /** A view of nothing yet. */
  public HandoffCreatedBody() {}

  /**
   * Views the body of a HANDOFF_CREATED.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public HandoffCreatedBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.HANDOFF_CREATED);
    checkBelow(RECEIVERS, Protocol.RECEIVERS_MAX + 1, "receivers");
    checkZero(12);
    return this;
  }

  /** Names the hand-off. */
  public long handoffId() {
    return longAt(0);
  }

  /** Nodes that were told of the hand-off. */
  public int receivers() {
    return intAt(RECEIVERS);
  }

  /** Encodes a HANDOFF_CREATED. */
  public static void encode(FrameWriter writer, int correlationId, long handoffId, int receivers) {
    writer.begin(MessageType.HANDOFF_CREATED, 0, correlationId, LENGTH);
    writer.putLong(handoffId);
    writer.putInt(receivers);
    writer.putInt(0);
    writer.end();
  }
}
