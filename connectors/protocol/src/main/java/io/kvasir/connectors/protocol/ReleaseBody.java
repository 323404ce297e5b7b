package io.kvasir.connectors.protocol;

/**
 * RELEASE: {@code u64 acquireId}. The engine no longer reads the slots of the acquisition, or gives
 * up what is not READY yet.
 */
public final class ReleaseBody extends Body {
  static final int LENGTH = 8;

  /** A view of nothing yet. */
  public ReleaseBody() {}

  /** Views the body of a RELEASE. */
  public ReleaseBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.RELEASE);
    return this;
  }

  /** Names the acquisition. */
  public long acquireId() {
    return longAt(0);
  }

  /** Encodes a RELEASE. */
  public static void encode(FrameWriter writer, int correlationId, long acquireId) {
    writer.begin(MessageType.RELEASE, 0, correlationId, LENGTH);
    writer.putLong(acquireId);
    writer.end();
  }
}
