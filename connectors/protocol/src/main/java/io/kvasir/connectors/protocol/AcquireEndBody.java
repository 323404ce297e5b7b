package io.kvasir.connectors.protocol;

/**
 * ACQUIRE_END: no more READY will come.
 *
 * <pre>
 *  offset  type  field
 *  0       u64   acquireId
 *  8       u32   readyChunks
 *  12      u32   reason, see {@link EndReason}
 * </pre>
 */
public final class AcquireEndBody extends Body {
  static final int LENGTH = 16;

  private static final int READY_CHUNKS = 8;
  private static final int REASON = 12;

  /** A view of nothing yet. */
  public AcquireEndBody() {}

  /**
   * Views the body of an ACQUIRE_END.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public AcquireEndBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.ACQUIRE_END);
    checkInt(READY_CHUNKS, "readyChunks");
    checkBelow(REASON, EndReason.COUNT, "reason");
    return this;
  }

  /** Names the acquisition. */
  public long acquireId() {
    return longAt(0);
  }

  /** Chunks that were READY in all. */
  public int readyChunks() {
    return intAt(READY_CHUNKS);
  }

  /** Why it ended there. */
  public EndReason reason() {
    return EndReason.of(intAt(REASON));
  }

  /** Encodes an ACQUIRE_END. */
  public static void encode(FrameWriter writer, long acquireId, int readyChunks, EndReason reason) {
    writer.begin(MessageType.ACQUIRE_END, 0, 0, LENGTH);
    writer.putLong(acquireId);
    writer.putInt(readyChunks);
    writer.putInt(reason.code());
    writer.end();
  }
}
