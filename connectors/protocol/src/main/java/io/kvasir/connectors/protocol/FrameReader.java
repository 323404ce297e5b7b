package io.kvasir.connectors.protocol;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import org.jspecify.annotations.Nullable;

/**
 * Cuts a byte stream into frames. Reads may be partial at any byte. What the header rules out is
 * refused as soon as the header is there. Memory follows the bytes that have really arrived, never
 * the length field alone: the buffer starts small, at most doubles when it is full, and goes back
 * to its first size when a long frame has been consumed. Allocation-free in between. <b>Not
 * thread-safe.</b>
 *
 * <pre>{@code
 * if (reader.readFrom(channel) < 0) { close(); }
 * for (Frame f = reader.next(); f != null; f = reader.next()) { handle(f); }
 * }</pre>
 */
public final class FrameReader {
  private static final int INITIAL_BYTES = 32 * 1024;

  /** The JDK copies heap buffers through a direct one of this size, kept per thread. */
  private static final int READ_BYTES_MAX = 64 * 1024;

  private final Side sender;
  private final Frame frame = new Frame();
  private final byte[] initialBytes = new byte[INITIAL_BYTES];
  private final ByteBuffer initialBuffer = littleEndian(initialBytes);
  private byte[] bytes;
  private ByteBuffer buffer;
  private int begin;
  private int end;

  /**
   * @param sender the side whose frames are read; types it may not send are refused
   */
  public FrameReader(Side sender) {
    this.sender = sender;
    this.bytes = initialBytes;
    this.buffer = initialBuffer;
  }

  /**
   * Reads once from the channel. To be called when {@link #next} has returned null.
   *
   * @return bytes read, 0 if the channel has none now (or frames wait to be taken), -1 at its end
   */
  public int readFrom(ReadableByteChannel channel) throws IOException {
    makeRoom();
    if (end == bytes.length) {
      return 0;
    }
    buffer.limit(Math.min(bytes.length, end + READ_BYTES_MAX)).position(end);
    final int read = channel.read(buffer);
    if (read > 0) {
      end += read;
    }
    return read;
  }

  /**
   * The next complete frame, or null if more bytes are needed. The frame is valid until the next
   * call of this object.
   *
   * @throws MalformedFrameException if the stream breaks the protocol; the connection must be
   *     closed
   */
  public @Nullable Frame next() {
    final int available = end - begin;
    if (available < Integer.BYTES) {
      return null;
    }
    final int frameBytes = Frame.checkedFrameBytes(buffer, begin);
    if (available < Protocol.HEADER_BYTES) {
      return null;
    }
    frame.wrap(bytes, buffer, begin, frameBytes, sender);
    if (available < frameBytes) {
      return null;
    }
    begin += frameBytes;
    return frame;
  }

  /** Bytes that have arrived and are not yet part of a frame that {@link #next} gave out. */
  public int bufferedBytes() {
    return end - begin;
  }

  /** Bytes of memory in use. */
  int capacityBytes() {
    return bytes.length;
  }

  private void makeRoom() {
    if (begin == end) {
      begin = 0;
      end = 0;
      bytes = initialBytes;
      buffer = initialBuffer;
    } else if (end == bytes.length) {
      if (begin > 0) {
        moveTo(bytes);
      } else {
        grow();
      }
    }
  }

  private void grow() {
    final int frameBytes = Frame.checkedFrameBytes(buffer, 0);
    if (frameBytes > bytes.length) {
      final byte[] target = new byte[(int) Math.min(frameBytes, 2L * bytes.length)];
      moveTo(target);
      bytes = target;
      buffer = littleEndian(target);
    }
  }

  private void moveTo(byte[] target) {
    System.arraycopy(bytes, begin, target, 0, end - begin);
    end -= begin;
    begin = 0;
  }

  private static ByteBuffer littleEndian(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
