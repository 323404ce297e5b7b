package io.kvasir.connectors.protocol;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * View of the body of a frame. {@code wrap} checks every length, reserved field and range at once,
 * so that the accessors cannot meet bad input. Reusable; valid as long as the frame it was wrapped
 * around. <b>Not thread-safe.</b>
 */
abstract class Body {
  private Frame frame = new Frame();
  private ByteBuffer buffer = ByteBuffer.allocate(0).order(ByteOrder.LITTLE_ENDIAN);
  private int offset;
  private int length;

  Body() {}

  final void view(Frame frame) {
    this.frame = frame;
    this.buffer = frame.buffer();
    this.offset = frame.bodyOffset();
    this.length = frame.bodyLength();
  }

  final Frame frame() {
    return frame;
  }

  final int intAt(int field) {
    return buffer.getInt(offset + field);
  }

  final long longAt(int field) {
    return buffer.getLong(offset + field);
  }

  final void checkType(MessageType a) {
    if (frame.type() != a) {
      throw new IllegalArgumentException("type=" + frame.type());
    }
  }

  final void checkType(MessageType a, MessageType b) {
    if (frame.type() != a && frame.type() != b) {
      throw new IllegalArgumentException("type=" + frame.type());
    }
  }

  /** No u32 of a body uses its highest bit: it fits a Java int. */
  final void checkInt(int field, String name) {
    if (intAt(field) < 0) {
      throw malformed(name, Integer.toUnsignedString(intAt(field)));
    }
  }

  /** No u64 that counts bytes or time uses its highest bit: it fits a Java long. */
  final void checkLong(int field, String name) {
    if (longAt(field) < 0) {
      throw malformed(name, Long.toUnsignedString(longAt(field)));
    }
  }

  final void checkZero(int field) {
    if (intAt(field) != 0) {
      throw malformed("reserved", Integer.toUnsignedString(intAt(field)));
    }
  }

  final void checkBelow(int field, int limit, String name) {
    if (Integer.compareUnsigned(intAt(field), limit) >= 0) {
      throw malformed(name, Integer.toUnsignedString(intAt(field)));
    }
  }

  /** The count of entries must fill the body exactly. */
  final void checkCount(int field, int entriesOffset, int entryBytes) {
    final int count = intAt(field);
    if (count < 1 || count > Protocol.ENTRIES_MAX) {
      throw malformed("count", Integer.toUnsignedString(count));
    }
    if (length != entriesOffset + count * entryBytes) {
      throw malformed("count", count + " body=" + length);
    }
  }

  final MalformedFrameException malformed(String name, String value) {
    return frame.refused(ErrorCode.MALFORMED, name + "=" + value);
  }
}
