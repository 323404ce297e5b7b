package io.kvasir.connectors.protocol;

import java.util.Objects;

/**
 * COMMIT and ABORT: slots that were reserved by the engine instance.
 *
 * <pre>
 *  offset    type  field
 *  0         u32   space
 *  4         u32   epoch
 *  8         u32   count
 *  12        u32   zero
 *  16 + 4 i  u32   slot
 * </pre>
 */
public final class SlotsBody extends Body {
  private static final int EPOCH = 4;
  private static final int COUNT = 8;
  private static final int ENTRIES = 16;

  /** A view of nothing yet. */
  public SlotsBody() {}

  /**
   * Views the body of a COMMIT or ABORT.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public SlotsBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.COMMIT, MessageType.ABORT);
    checkCount(COUNT, ENTRIES, Integer.BYTES);
    checkInt(0, "space");
    checkInt(EPOCH, "epoch");
    checkZero(12);
    for (int i = 0; i < count(); i++) {
      checkInt(ENTRIES + i * Integer.BYTES, "slot");
    }
    return this;
  }

  /** The space id. */
  public int space() {
    return intAt(0);
  }

  /** The namespace's epoch as the engine knows it. */
  public int epoch() {
    return intAt(EPOCH);
  }

  /** Number of slots. */
  public int count() {
    return intAt(COUNT);
  }

  /** Slot {@code i}. */
  public int slot(int i) {
    return intAt(ENTRIES + Objects.checkIndex(i, count()) * Integer.BYTES);
  }

  /** Encodes a COMMIT. */
  public static void encodeCommit(
      FrameWriter writer,
      int correlationId,
      boolean awaitIndex,
      int space,
      int epoch,
      int[] slots) {
    final int flags = awaitIndex ? Protocol.FLAG_AWAIT_INDEX : 0;
    encode(writer, MessageType.COMMIT, flags, correlationId, space, epoch, slots);
  }

  /** Encodes an ABORT. */
  public static void encodeAbort(
      FrameWriter writer, int correlationId, int space, int epoch, int[] slots) {
    encode(writer, MessageType.ABORT, 0, correlationId, space, epoch, slots);
  }

  static int lengthOf(int count) {
    return ENTRIES + count * Integer.BYTES;
  }

  private static void encode(
      FrameWriter writer,
      MessageType type,
      int flags,
      int correlationId,
      int space,
      int epoch,
      int[] slots) {
    if (slots.length < 1 || slots.length > Protocol.ENTRIES_MAX) {
      throw new IllegalArgumentException("slots=" + slots.length);
    }
    writer.begin(type, flags, correlationId, lengthOf(slots.length));
    writer.putInt(space);
    writer.putInt(epoch);
    writer.putInt(slots.length);
    writer.putInt(0);
    for (final int slot : slots) {
      writer.putInt(slot);
    }
    writer.end();
  }
}
