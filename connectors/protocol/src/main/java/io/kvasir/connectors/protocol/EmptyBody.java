package io.kvasir.connectors.protocol;

/** Messages without a body: STATS, PING, PONG, GOODBYE, GOODBYE_OK. */
public final class EmptyBody {
  private EmptyBody() {}

  /** Encodes a frame without a body. */
  public static void encode(FrameWriter writer, MessageType type, int correlationId) {
    writer.begin(type, 0, correlationId, 0);
    writer.end();
  }
}
