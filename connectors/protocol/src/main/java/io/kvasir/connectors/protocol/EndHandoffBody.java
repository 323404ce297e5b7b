package io.kvasir.connectors.protocol;

/**
 * END_HANDOFF: {@code u64 handoffId}. The prefill engine commits no more slices; with flag bit 0
 * CANCEL, from whomever: nothing of the hand-off shall arrive any more.
 */
public final class EndHandoffBody extends Body {
  static final int LENGTH = 8;

  /** A view of nothing yet. */
  public EndHandoffBody() {}

  /** Views the body of an END_HANDOFF. */
  public EndHandoffBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.END_HANDOFF);
    return this;
  }

  /** Names the hand-off. */
  public long handoffId() {
    return longAt(0);
  }

  /** Encodes an END_HANDOFF. */
  public static void encode(FrameWriter writer, int correlationId, boolean cancel, long handoffId) {
    writer.begin(MessageType.END_HANDOFF, cancel ? Protocol.FLAG_CANCEL : 0, correlationId, LENGTH);
    writer.putLong(handoffId);
    writer.end();
  }
}
