package io.kvasir.connectors.protocol;

import java.util.Objects;

/**
 * RESERVED: a status per chunk, and a place for those with status RESERVED.
 *
 * <pre>
 *  offset    type  field
 *  0         u32   count
 *  4         u32   zero
 *  8 + 24 i        entry
 *
 *  entry
 *  0         u32   status, see {@link ReserveStatus}
 *  4         u32   slot
 *  8         u32   segment
 *  12        u32   zero
 *  16        u64   segmentOffset
 * </pre>
 */
public final class ReservedBody extends Body {
  private static final int ENTRIES = 8;
  private static final int ENTRY_BYTES = 24;
  private static final int SLOT = 4;
  private static final int SEGMENT = 8;
  private static final int SEGMENT_OFFSET = 16;

  /** A view of nothing yet. */
  public ReservedBody() {}

  /**
   * Views the body of a RESERVED.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public ReservedBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.RESERVED);
    checkCount(0, ENTRIES, ENTRY_BYTES);
    checkZero(4);
    for (int i = 0; i < count(); i++) {
      final int entry = entry(i);
      checkBelow(entry, ReserveStatus.COUNT, "status");
      checkInt(entry + SLOT, "slot");
      checkInt(entry + SEGMENT, "segment");
      checkZero(entry + 12);
      checkLong(entry + SEGMENT_OFFSET, "segmentOffset");
    }
    return this;
  }

  /** Number of chunks. */
  public int count() {
    return intAt(0);
  }

  /** Outcome for chunk {@code i}. */
  public ReserveStatus status(int i) {
    return ReserveStatus.of(intAt(entry(i)));
  }

  /** Slot of chunk {@code i}; 0 unless it is RESERVED. */
  public int slot(int i) {
    return intAt(entry(i) + SLOT);
  }

  /** Segment file of chunk {@code i}; 0 unless it is RESERVED. */
  public int segment(int i) {
    return intAt(entry(i) + SEGMENT);
  }

  /** Offset of chunk {@code i} in its segment file, in bytes; 0 unless it is RESERVED. */
  public long segmentOffset(int i) {
    return longAt(entry(i) + SEGMENT_OFFSET);
  }

  private int entry(int i) {
    return ENTRIES + Objects.checkIndex(i, count()) * ENTRY_BYTES;
  }

  /**
   * Begins a RESERVED; {@code count} calls of {@link #addReserved} or {@link #addRefused} and one
   * of {@link #end} must follow.
   */
  public static void begin(FrameWriter writer, int correlationId, int count) {
    writer.begin(MessageType.RESERVED, 0, correlationId, lengthOf(count));
    writer.putInt(count);
    writer.putInt(0);
  }

  /** Adds a chunk that has a place. */
  public static void addReserved(FrameWriter writer, int slot, int segment, long segmentOffset) {
    put(writer, ReserveStatus.RESERVED, slot, segment, segmentOffset);
  }

  /** Adds a chunk that has no place. */
  public static void addRefused(FrameWriter writer, ReserveStatus status) {
    if (status == ReserveStatus.RESERVED) {
      throw new IllegalArgumentException("status=" + status);
    }
    put(writer, status, 0, 0, 0);
  }

  /** Ends the frame. */
  public static void end(FrameWriter writer) {
    writer.end();
  }

  static int lengthOf(int count) {
    return ENTRIES + count * ENTRY_BYTES;
  }

  private static void put(
      FrameWriter writer, ReserveStatus status, int slot, int segment, long segmentOffset) {
    writer.putInt(status.code());
    writer.putInt(slot);
    writer.putInt(segment);
    writer.putInt(0);
    writer.putLong(segmentOffset);
  }
}
