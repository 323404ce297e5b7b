package io.kvasir.connectors.protocol;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * Bodies that are one JSON document in UTF-8: HELLO, REGISTER, STATS_OK, NODE_STATE and answers.
 */
public final class JsonBody {
  private JsonBody() {}

  /** Encodes a frame with a JSON body. */
  public static void encode(FrameWriter writer, MessageType type, int correlationId, byte[] utf8) {
    checkType(type);
    writer.begin(type, 0, correlationId, utf8.length);
    writer.putBytes(utf8, 0, utf8.length);
    writer.end();
  }

  /**
   * The JSON text. It is not parsed here.
   *
   * @throws MalformedFrameException MALFORMED if the body is not UTF-8
   */
  public static String text(Frame frame) {
    checkType(frame.type());
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT)
          .decode(ByteBuffer.wrap(frame.array(), frame.bodyOffset(), frame.bodyLength()))
          .toString();
    } catch (CharacterCodingException e) {
      throw frame.refused(ErrorCode.MALFORMED, "body is not UTF-8");
    }
  }

  private static void checkType(MessageType type) {
    switch (type) {
      case HELLO, HELLO_OK, REGISTER, REGISTERED, STATS_OK, NODE_STATE -> {}
      default -> throw new IllegalArgumentException("type=" + type);
    }
  }
}
