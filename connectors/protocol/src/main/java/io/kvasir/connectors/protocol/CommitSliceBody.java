package io.kvasir.connectors.protocol;

import java.util.Objects;

/**
 * COMMIT_SLICE: all writes into these slices have finished.
 *
 * <pre>
 *  offset    type  field
 *  0         u64   handoffId
 *  8         u32   count
 *  12        u32   zero
 *  16 + 8 i        entry
 *
 *  entry
 *  0         u32   slot
 *  4         u32   slice: its number within the chunk
 * </pre>
 */
public final class CommitSliceBody extends Body {
  private static final int COUNT = 8;
  private static final int ENTRIES = 16;
  private static final int ENTRY_BYTES = 8;
  private static final int SLICE = 4;

  /** A view of nothing yet. */
  public CommitSliceBody() {}

  /**
   * Views the body of a COMMIT_SLICE.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public CommitSliceBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.COMMIT_SLICE);
    checkCount(COUNT, ENTRIES, ENTRY_BYTES);
    checkZero(12);
    for (int i = 0; i < count(); i++) {
      checkInt(entry(i), "slot");
      checkInt(entry(i) + SLICE, "slice");
    }
    return this;
  }

  /** Names the hand-off. */
  public long handoffId() {
    return longAt(0);
  }

  /** Number of slices. */
  public int count() {
    return intAt(COUNT);
  }

  /** Slot of entry {@code i}. */
  public int slot(int i) {
    return intAt(entry(i));
  }

  /** Number of the slice of entry {@code i} within its chunk. */
  public int slice(int i) {
    return intAt(entry(i) + SLICE);
  }

  private int entry(int i) {
    return ENTRIES + Objects.checkIndex(i, count()) * ENTRY_BYTES;
  }

  /** Encodes a COMMIT_SLICE; slice {@code i} lies in slot {@code i}. */
  public static void encode(
      FrameWriter writer, int correlationId, long handoffId, int[] slots, int[] slices) {
    if (slots.length < 1 || slots.length > Protocol.ENTRIES_MAX || slices.length != slots.length) {
      throw new IllegalArgumentException("slots=" + slots.length + " slices=" + slices.length);
    }
    writer.begin(MessageType.COMMIT_SLICE, 0, correlationId, lengthOf(slots.length));
    writer.putLong(handoffId);
    writer.putInt(slots.length);
    writer.putInt(0);
    for (int i = 0; i < slots.length; i++) {
      writer.putInt(slots[i]);
      writer.putInt(slices[i]);
    }
    writer.end();
  }

  static int lengthOf(int count) {
    return ENTRIES + count * ENTRY_BYTES;
  }
}
