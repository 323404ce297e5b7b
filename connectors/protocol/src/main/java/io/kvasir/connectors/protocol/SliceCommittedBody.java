package io.kvasir.connectors.protocol;

import java.util.Objects;

/**
 * SLICE_COMMITTED: a status per slice.
 *
 * <pre>
 *  offset     type  field
 *  0          u64   handoffId
 *  8          u32   count
 *  12         u32   receivers that still wait for chunks
 *  16 + 16 i        entry
 *
 *  entry
 *  0          u32   slot
 *  4          u32   status, see {@link SliceStatus}
 *  8          u64   version if this slice completed its chunk, else 0
 * </pre>
 */
public final class SliceCommittedBody extends Body {
  private static final int COUNT = 8;
  private static final int RECEIVERS = 12;
  private static final int ENTRIES = 16;
  private static final int ENTRY_BYTES = 16;
  private static final int STATUS = 4;
  private static final int VERSION = 8;

  /** A view of nothing yet. */
  public SliceCommittedBody() {}

  /**
   * Views the body of a SLICE_COMMITTED.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public SliceCommittedBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.SLICE_COMMITTED);
    checkCount(COUNT, ENTRIES, ENTRY_BYTES);
    checkBelow(RECEIVERS, Protocol.RECEIVERS_MAX + 1, "receivers");
    for (int i = 0; i < count(); i++) {
      checkInt(entry(i), "slot");
      checkBelow(entry(i) + STATUS, SliceStatus.COUNT, "status");
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

  /** Receivers that still wait for chunks. */
  public int receivers() {
    return intAt(RECEIVERS);
  }

  /** Slot of entry {@code i}. */
  public int slot(int i) {
    return intAt(entry(i));
  }

  /** Outcome of entry {@code i}. */
  public SliceStatus status(int i) {
    return SliceStatus.of(intAt(entry(i) + STATUS));
  }

  /** Version of the chunk that entry {@code i} completed, or 0. */
  public long version(int i) {
    return longAt(entry(i) + VERSION);
  }

  private int entry(int i) {
    return ENTRIES + Objects.checkIndex(i, count()) * ENTRY_BYTES;
  }

  /**
   * Begins a SLICE_COMMITTED; {@code count} calls of {@link #add} and one of {@link #end} must
   * follow.
   */
  public static void begin(
      FrameWriter writer, int correlationId, long handoffId, int count, int receivers) {
    writer.begin(MessageType.SLICE_COMMITTED, 0, correlationId, lengthOf(count));
    writer.putLong(handoffId);
    writer.putInt(count);
    writer.putInt(receivers);
  }

  /** Adds the next entry. */
  public static void add(FrameWriter writer, int slot, SliceStatus status, long version) {
    writer.putInt(slot);
    writer.putInt(status.code());
    writer.putLong(version);
  }

  /** Ends the frame. */
  public static void end(FrameWriter writer) {
    writer.end();
  }

  static int lengthOf(int count) {
    return ENTRIES + count * ENTRY_BYTES;
  }
}
