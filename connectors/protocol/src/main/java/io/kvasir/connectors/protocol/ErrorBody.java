package io.kvasir.connectors.protocol;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;

/**
 * ERROR: something was refused or failed.
 *
 * <pre>
 *  offset  type  field
 *  0       u16   code, see {@link ErrorCode}
 *  2       u8    definite: 1 = certainly nothing happened
 *  3       u8    retry: 1 = the same request may succeed later
 *  4       u32   detail length in bytes, at most 4,096
 *  8             detail, UTF-8
 * </pre>
 */
public final class ErrorBody extends Body {
  private static final int DEFINITE = 2;
  private static final int RETRY = 3;
  private static final int DETAIL_LENGTH = 4;
  private static final int DETAIL = 8;

  /** A view of nothing yet. */
  public ErrorBody() {}

  /**
   * Views the body of an ERROR.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public ErrorBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.ERROR);
    if (intAt(DETAIL_LENGTH) != frame.bodyLength() - DETAIL) {
      throw malformed("detailLength", Integer.toUnsignedString(intAt(DETAIL_LENGTH)));
    }
    if (byteAt(DEFINITE) > 1 || byteAt(RETRY) > 1) {
      throw malformed("definite", byteAt(DEFINITE) + " retry=" + byteAt(RETRY));
    }
    return this;
  }

  /** The number of the error. It may be one that {@link ErrorCode} does not know. */
  public int code() {
    return frame().buffer().getShort(frame().bodyOffset()) & 0xFFFF;
  }

  /** Certainly nothing happened. */
  public boolean definite() {
    return byteAt(DEFINITE) == 1;
  }

  /** The same request may succeed later. */
  public boolean retry() {
    return byteAt(RETRY) == 1;
  }

  /** For people; bytes that are not UTF-8 are replaced. */
  public String detail() {
    return new String(
        frame().array(), frame().bodyOffset() + DETAIL, frame().bodyLength() - DETAIL, UTF_8);
  }

  /**
   * Encodes an ERROR.
   *
   * @param correlationId of the request, 0 when it is not known
   * @param detail for people; cut at {@link Protocol#ERROR_DETAIL_BYTES_MAX} bytes
   */
  public static void encode(FrameWriter writer, int correlationId, ErrorCode code, String detail) {
    final byte[] text = cut(detail.getBytes(UTF_8));
    writer.begin(MessageType.ERROR, 0, correlationId, lengthOf(text.length));
    writer.putInt(code.code() | (code.definite() ? 1 << 16 : 0) | (code.retry() ? 1 << 24 : 0));
    writer.putInt(text.length);
    writer.putBytes(text, 0, text.length);
    writer.end();
  }

  static int lengthOf(int detailBytes) {
    return DETAIL + detailBytes;
  }

  private int byteAt(int field) {
    return frame().buffer().get(frame().bodyOffset() + field) & 0xFF;
  }

  private static byte[] cut(byte[] text) {
    if (text.length <= Protocol.ERROR_DETAIL_BYTES_MAX) {
      return text;
    }
    int length = Protocol.ERROR_DETAIL_BYTES_MAX;
    while ((text[length] & 0xC0) == 0x80) {
      length--;
    }
    return Arrays.copyOf(text, length);
  }
}
