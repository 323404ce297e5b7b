package io.kvasir.connectors.protocol;

/**
 * RELEASED: tells whether the load counts.
 *
 * <pre>
 *  offset  type  field
 *  0       u64   acquireId
 *  8       u32   status, see {@link ReleaseStatus}
 *  12      u32   zero
 * </pre>
 */
public final class ReleasedBody extends Body {
  static final int LENGTH = 16;

  private static final int STATUS = 8;

  /** A view of nothing yet. */
  public ReleasedBody() {}

  /**
   * Views the body of a RELEASED.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public ReleasedBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.RELEASED);
    checkBelow(STATUS, ReleaseStatus.COUNT, "status");
    checkZero(12);
    return this;
  }

  /** Names the acquisition. */
  public long acquireId() {
    return longAt(0);
  }

  /** Does the load count? */
  public ReleaseStatus status() {
    return ReleaseStatus.of(intAt(STATUS));
  }

  /** Encodes a RELEASED. */
  public static void encode(
      FrameWriter writer, int correlationId, long acquireId, ReleaseStatus status) {
    writer.begin(MessageType.RELEASED, 0, correlationId, LENGTH);
    writer.putLong(acquireId);
    writer.putInt(status.code());
    writer.putInt(0);
    writer.end();
  }
}
