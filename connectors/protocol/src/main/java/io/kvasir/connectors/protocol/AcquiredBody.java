package io.kvasir.connectors.protocol;

/**
 * ACQUIRED and AWAITED: an acquisition has begun and its space is reserved.
 *
 * <pre>
 *  offset  type  field
 *  0       u64   acquireId
 *  8       u32   chunks: leading chunks that the node tries to make resident, may be 0
 *  12      u32   zero
 * </pre>
 */
public final class AcquiredBody extends Body {
  static final int LENGTH = 16;

  private static final int CHUNKS = 8;

  /** A view of nothing yet. */
  public AcquiredBody() {}

  /**
   * Views the body of an ACQUIRED or AWAITED.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public AcquiredBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.ACQUIRED, MessageType.AWAITED);
    checkInt(CHUNKS, "chunks");
    checkZero(12);
    return this;
  }

  /** Names the acquisition on this socket. */
  public long acquireId() {
    return longAt(0);
  }

  /** Leading chunks that the node tries to make resident. */
  public int chunks() {
    return intAt(CHUNKS);
  }

  /** Encodes an ACQUIRED. */
  public static void encode(FrameWriter writer, int correlationId, long acquireId, int chunks) {
    encode(writer, MessageType.ACQUIRED, correlationId, acquireId, chunks);
  }

  /** Encodes an AWAITED. */
  public static void encodeAwaited(
      FrameWriter writer, int correlationId, long acquireId, int chunks) {
    encode(writer, MessageType.AWAITED, correlationId, acquireId, chunks);
  }

  private static void encode(
      FrameWriter writer, MessageType type, int correlationId, long acquireId, int chunks) {
    writer.begin(type, 0, correlationId, LENGTH);
    writer.putLong(acquireId);
    writer.putInt(chunks);
    writer.putInt(0);
    writer.end();
  }
}
