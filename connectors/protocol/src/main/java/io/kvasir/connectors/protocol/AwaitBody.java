package io.kvasir.connectors.protocol;

/**
 * AWAIT: make the leading chunks that a hand-off brings resident and pin them.
 *
 * <pre>
 *  offset  type    field
 *  0       u64     handoffId, never 0
 *  8       u32     deadlineMs, 1 to 600,000
 *  12      u32     zero
 *  16      prefix  see {@link PrefixBody}
 * </pre>
 */
public final class AwaitBody extends Body {
  private static final int DEADLINE_MS = 8;
  private static final int PREFIX = 16;

  private final PrefixBody prefix = new PrefixBody();

  /** A view of nothing yet. */
  public AwaitBody() {}

  /**
   * Views the body of an AWAIT.
   *
   * @throws MalformedFrameException MALFORMED or INVALID_ARGUMENT
   */
  public AwaitBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.AWAIT);
    checkZero(12);
    prefix.wrap(frame, PREFIX);
    if (handoffId() == 0 || deadlineMs() < 1 || deadlineMs() > Protocol.DEADLINE_MS_MAX) {
      throw frame.refused(
          ErrorCode.INVALID_ARGUMENT,
          "handoffId="
              + Long.toHexString(handoffId())
              + " deadlineMs="
              + Integer.toUnsignedString(deadlineMs())
              + " (limit="
              + Protocol.DEADLINE_MS_MAX
              + ")");
    }
    return this;
  }

  /** Names the hand-off. */
  public long handoffId() {
    return longAt(0);
  }

  /** Milliseconds from now after which the node gives up what is missing. */
  public int deadlineMs() {
    return intAt(DEADLINE_MS);
  }

  /** The chunks. */
  public PrefixBody prefix() {
    return prefix;
  }

  /** Encodes an AWAIT. */
  public static void encode(
      FrameWriter writer,
      int correlationId,
      long handoffId,
      int deadlineMs,
      int space,
      int epoch,
      int firstPosition,
      byte[] anchorHash,
      byte[] hashes,
      int count) {
    PrefixBody.checkArguments(firstPosition, anchorHash, hashes, count);
    if (handoffId == 0 || deadlineMs < 1 || deadlineMs > Protocol.DEADLINE_MS_MAX) {
      throw new IllegalArgumentException("handoffId=" + handoffId + " deadlineMs=" + deadlineMs);
    }
    writer.begin(MessageType.AWAIT, 0, correlationId, lengthOf(count));
    writer.putLong(handoffId);
    writer.putInt(deadlineMs);
    writer.putInt(0);
    PrefixBody.put(writer, space, epoch, firstPosition, anchorHash, hashes, count);
    writer.end();
  }

  static int lengthOf(int count) {
    return PREFIX + PrefixBody.lengthOf(count);
  }
}
