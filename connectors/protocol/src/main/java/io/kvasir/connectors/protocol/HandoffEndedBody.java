package io.kvasir.connectors.protocol;

/**
 * HANDOFF_ENDED: tells whether the node knew the hand-off.
 *
 * <pre>
 *  offset  type  field
 *  0       u64   handoffId
 *  8       u32   status: 0 ended, 1 not known here
 *  12      u32   zero
 * </pre>
 */
public final class HandoffEndedBody extends Body {
  static final int LENGTH = 16;

  private static final int STATUS = 8;
  private static final int UNKNOWN = 1;

  /** A view of nothing yet. */
  public HandoffEndedBody() {}

  /**
   * Views the body of a HANDOFF_ENDED.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public HandoffEndedBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.HANDOFF_ENDED);
    checkBelow(STATUS, UNKNOWN + 1, "status");
    checkZero(12);
    return this;
  }

  /** Names the hand-off. */
  public long handoffId() {
    return longAt(0);
  }

  /** Did the node know it? */
  public boolean isKnown() {
    return intAt(STATUS) != UNKNOWN;
  }

  /** Encodes a HANDOFF_ENDED. */
  public static void encode(
      FrameWriter writer, int correlationId, long handoffId, boolean isKnown) {
    writer.begin(MessageType.HANDOFF_ENDED, 0, correlationId, LENGTH);
    writer.putLong(handoffId);
    writer.putInt(isKnown ? 0 : UNKNOWN);
    writer.putInt(0);
    writer.end();
  }
}
