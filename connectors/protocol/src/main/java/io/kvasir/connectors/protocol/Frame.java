package io.kvasir.connectors.protocol;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * View of one complete frame. Reused by its {@link FrameReader}: valid until the reader is used
 * again. <b>Not thread-safe.</b>
 *
 * <pre>
 *  offset  type  field
 *  0       u32   length of what follows this field, 8 + body
 *  4       u8    version
 *  5       u8    type
 *  6       u16   flags
 *  8       u32   correlation id
 *  12            body
 * </pre>
 */
public final class Frame {
  static final int VERSION_OFFSET = 4;
  static final int TYPE_OFFSET = 5;
  static final int FLAGS_OFFSET = 6;
  static final int CORRELATION_ID_OFFSET = 8;

  private byte[] array = {};
  private ByteBuffer buffer = ByteBuffer.wrap(array).order(ByteOrder.LITTLE_ENDIAN);
  private MessageType type = MessageType.PING;
  private int flags;
  private int correlationId;
  private int bodyOffset;
  private int bodyLength;

  Frame() {}

  /** The message type. */
  public MessageType type() {
    return type;
  }

  /** The flags; only bits that the type knows are set. */
  public int flags() {
    return flags;
  }

  /** The correlation id, an opaque u32. */
  public int correlationId() {
    return correlationId;
  }

  /** The little-endian buffer that holds the frame; its position and limit mean nothing. */
  public ByteBuffer buffer() {
    return buffer;
  }

  /** The array behind {@link #buffer()}, from index 0; for hashing or copying in place. */
  public byte[] array() {
    return array;
  }

  /** Offset of the body in {@link #buffer()} and {@link #array()}. */
  public int bodyOffset() {
    return bodyOffset;
  }

  /** Length of the body in bytes. */
  public int bodyLength() {
    return bodyLength;
  }

  /** An exception about this frame. */
  public MalformedFrameException refused(ErrorCode code, String what) {
    return new MalformedFrameException(code, correlationId, "type=" + type + " " + what);
  }

  /**
   * Checks the length field alone.
   *
   * @return the length of the whole frame in bytes, with the length field
   */
  static int checkedFrameBytes(ByteBuffer buffer, int offset) {
    final int length = buffer.getInt(offset);
    if (Integer.compareUnsigned(length, Protocol.LENGTH_MIN) < 0) {
      throw new MalformedFrameException(
          ErrorCode.MALFORMED, 0, "length=" + length + " (minimum=" + Protocol.LENGTH_MIN + ")");
    }
    if (Integer.compareUnsigned(length, Protocol.LENGTH_MAX) > 0) {
      throw new MalformedFrameException(
          ErrorCode.FRAME_TOO_LARGE,
          0,
          "length=" + Integer.toUnsignedString(length) + " (limit=" + Protocol.LENGTH_MAX + ")");
    }
    return length + Integer.BYTES;
  }

  /** Views a frame whose header is complete and checks all that the header says. */
  Frame wrap(byte[] array, ByteBuffer buffer, int offset, int frameBytes, Side sender) {
    final int version = buffer.get(offset + VERSION_OFFSET) & 0xFF;
    final int typeCode = buffer.get(offset + TYPE_OFFSET) & 0xFF;
    final int flags = buffer.getShort(offset + FLAGS_OFFSET) & 0xFFFF;
    final int correlationId = buffer.getInt(offset + CORRELATION_ID_OFFSET);
    final int bodyLength = frameBytes - Protocol.HEADER_BYTES;
    if (version != Protocol.VERSION) {
      throw new MalformedFrameException(
          ErrorCode.VERSION_MISMATCH,
          correlationId,
          "version=" + version + " (supported=" + Protocol.VERSION + ")");
    }
    final MessageType type = MessageType.of(typeCode);
    if (type == null || !type.isSentBy(sender)) {
      throw new MalformedFrameException(
          ErrorCode.UNKNOWN_TYPE,
          correlationId,
          "type=0x" + Integer.toHexString(typeCode) + " sender=" + sender);
    }
    this.array = array;
    this.buffer = buffer;
    this.type = type;
    this.flags = flags;
    this.correlationId = correlationId;
    this.bodyOffset = offset + Protocol.HEADER_BYTES;
    this.bodyLength = bodyLength;
    checkRules();
    return this;
  }

  private void checkRules() {
    if ((flags & ~type.flagsKnown()) != 0) {
      throw refused(ErrorCode.MALFORMED, "flags=" + flags + " (known=" + type.flagsKnown() + ")");
    }
    if (!type.allowsCorrelationId(correlationId)) {
      throw refused(
          ErrorCode.MALFORMED,
          "correlationId=" + correlationId + " (0 in pushes and only there and in ERROR)");
    }
    if (bodyLength < type.bodyBytesMin()) {
      throw refused(
          ErrorCode.MALFORMED, "body=" + bodyLength + " (minimum=" + type.bodyBytesMin() + ")");
    }
    if (bodyLength > type.bodyBytesMax()) {
      // A fixed body of the wrong size is nonsense; a list or text that is too long is too long.
      final boolean fixed = type.bodyBytesMin() == type.bodyBytesMax();
      throw refused(
          fixed ? ErrorCode.MALFORMED : ErrorCode.FRAME_TOO_LARGE,
          "body=" + bodyLength + " (limit=" + type.bodyBytesMax() + ")");
    }
  }
}
