package io.kvasir.connectors.protocol;

/**
 * ACQUIRE: make leading chunks resident and pin them.
 *
 * <pre>
 *  offset  type    field
 *  0       u32     deadlineMs, 1 to 600,000
 *  4       u32     zero
 *  8       prefix  see {@link PrefixBody}
 * </pre>
 */
public final class AcquireBody extends Body {
  private static final int PREFIX = 8;

  private final PrefixBody prefix = new PrefixBody();

  /** A view of nothing yet. */
  public AcquireBody() {}

  /**
   * Views the body of an ACQUIRE.
   *
   * @throws MalformedFrameException MALFORMED or INVALID_ARGUMENT
   */
  public AcquireBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.ACQUIRE);
    checkZero(4);
    prefix.wrap(frame, PREFIX);
    if (deadlineMs() < 1 || deadlineMs() > Protocol.DEADLINE_MS_MAX) {
      throw frame.refused(
          ErrorCode.INVALID_ARGUMENT,
          "deadlineMs="
              + Integer.toUnsignedString(deadlineMs())
              + " (limit="
              + Protocol.DEADLINE_MS_MAX
              + ")");
    }
    return this;
  }

  /** Milliseconds from now after which the node gives up what is missing. */
  public int deadlineMs() {
    return intAt(0);
  }

  /** The chunks. */
  public PrefixBody prefix() {
    return prefix;
  }

  /** Encodes an ACQUIRE. */
  public static void encode(
      FrameWriter writer,
      int correlationId,
      int deadlineMs,
      int space,
      int epoch,
      int firstPosition,
      byte[] anchorHash,
      byte[] hashes,
      int count) {
    PrefixBody.checkArguments(firstPosition, anchorHash, hashes, count);
    if (deadlineMs < 1 || deadlineMs > Protocol.DEADLINE_MS_MAX) {
      throw new IllegalArgumentException("deadlineMs=" + deadlineMs);
    }
    writer.begin(MessageType.ACQUIRE, 0, correlationId, lengthOf(count));
    writer.putInt(deadlineMs);
    writer.putInt(0);
    PrefixBody.put(writer, space, epoch, firstPosition, anchorHash, hashes, count);
    writer.end();
  }

  static int lengthOf(int count) {
    return PREFIX + PrefixBody.lengthOf(count);
  }
}
