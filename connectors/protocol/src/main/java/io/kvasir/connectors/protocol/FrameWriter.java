package io.kvasir.connectors.protocol;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;

/**
 * Frames on their way out of one connection. The {@code …Body} classes encode into it, {@link
 * #flushTo} sends what the channel takes. Memory grows with what waits, up to a limit, and goes
 * back to its first size when all is sent; allocation-free in between. <b>Not thread-safe.</b>
 */
public final class FrameWriter {
  private static final int INITIAL_BYTES = 32 * 1024;
  private static final int WRITE_BYTES_MAX = 64 * 1024;

  private final int pendingBytesMax;
  private final ByteBuffer initial;
  private ByteBuffer buffer;
  private int begin;
  private int end;
  private int cursor;
  private int frameEnd;

  /**
   * @param pendingBytesMax most bytes that may wait; at least one frame of the largest size
   */
  public FrameWriter(int pendingBytesMax) {
    if (pendingBytesMax < Protocol.LENGTH_MAX + Integer.BYTES) {
      throw new IllegalArgumentException(
          "pendingBytesMax=" + pendingBytesMax + " is below a frame");
    }
    this.pendingBytesMax = pendingBytesMax;
    this.initial = ByteBuffer.allocate(INITIAL_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    this.buffer = initial;
  }

  /** Bytes of complete frames that wait to be sent. */
  public int pendingBytes() {
    return end - begin;
  }

  /** Is there room for a frame with a body of this length? */
  public boolean hasRoomFor(int bodyLength) {
    return (long) pendingBytes() + Protocol.HEADER_BYTES + bodyLength <= pendingBytesMax;
  }

  /**
   * Sends as much as the channel takes now.
   *
   * @return true if nothing is left
   */
  public boolean flushTo(WritableByteChannel channel) throws IOException {
    while (begin < end) {
      final int bytes = Math.min(end - begin, WRITE_BYTES_MAX);
      buffer.limit(begin + bytes).position(begin);
      final int written = channel.write(buffer);
      buffer.clear();
      begin += written;
      if (written < bytes) {
        return false;
      }
    }
    begin = 0;
    end = 0;
    buffer = initial;
    return true;
  }

  /**
   * Writes a header and makes room for the body, which the caller puts field by field before it
   * calls {@link #end()}. The length must be exact: {@link #end()} insists on it.
   */
  void begin(MessageType type, int flags, int correlationId, int bodyLength) {
    if (frameEnd != 0) {
      throw new IllegalStateException("a frame is being written");
    }
    if (bodyLength < type.bodyBytesMin() || bodyLength > type.bodyBytesMax()) {
      throw new IllegalArgumentException(type + " body=" + bodyLength);
    }
    if ((flags & ~type.flagsKnown()) != 0 || !type.allowsCorrelationId(correlationId)) {
      throw new IllegalArgumentException(
          type + " flags=" + flags + " correlationId=" + correlationId);
    }
    final int frameBytes = Protocol.HEADER_BYTES + bodyLength;
    makeRoom(frameBytes);
    buffer.putInt(end, frameBytes - Integer.BYTES);
    buffer.put(end + Frame.VERSION_OFFSET, (byte) Protocol.VERSION);
    buffer.put(end + Frame.TYPE_OFFSET, (byte) type.code());
    buffer.putShort(end + Frame.FLAGS_OFFSET, (short) flags);
    buffer.putInt(end + Frame.CORRELATION_ID_OFFSET, correlationId);
    cursor = end + Protocol.HEADER_BYTES;
    frameEnd = end + frameBytes;
  }

  void putInt(int value) {
    buffer.putInt(claim(Integer.BYTES), value);
  }

  void putLong(long value) {
    buffer.putLong(claim(Long.BYTES), value);
  }

  void putBytes(byte[] source, int offset, int length) {
    buffer.put(claim(length), source, offset, length);
  }

  /** Ends the frame: from here on it waits to be sent. */
  void end() {
    if (frameEnd == 0 || cursor != frameEnd) {
      throw new IllegalStateException("the frame lacks " + (frameEnd - cursor) + " bytes");
    }
    end = frameEnd;
    frameEnd = 0;
  }

  private int claim(int bytes) {
    final int offset = cursor;
    if (frameEnd - offset < bytes) {
      throw new IllegalStateException("the frame has no room for " + bytes + " bytes");
    }
    cursor += bytes;
    return offset;
  }

  private void makeRoom(int frameBytes) {
    final int pending = pendingBytes();
    if ((long) pending + frameBytes > pendingBytesMax) {
      throw new IllegalStateException(
          "KVA-0502 the other side does not read - pendingBytes="
              + pending
              + " frameBytes="
              + frameBytes
              + " (limit="
              + pendingBytesMax
              + "); close the connection");
    }
    if (end + frameBytes <= buffer.capacity()) {
      return;
    }
    buffer.limit(end).position(begin);
    if (pending + frameBytes <= buffer.capacity()) {
      buffer.compact();
    } else {
      final long bytes = Math.max(pending + frameBytes, 2L * buffer.capacity());
      buffer =
          ByteBuffer.allocate((int) Math.min(bytes, pendingBytesMax))
              .order(ByteOrder.LITTLE_ENDIAN)
              .put(buffer);
    }
    buffer.clear();
    begin = 0;
    end = pending;
  }
}
