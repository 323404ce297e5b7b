package io.kvasir.connectors.protocol;

import java.util.Objects;

/**
 * COMMITTED: a status and a version per slot.
 *
 * <pre>
 *  offset    type  field
 *  0         u32   count
 *  4         u32   zero
 *  8 + 16 i        entry
 *
 *  entry
 *  0         u32   slot
 *  4         u32   status, see {@link CommitStatus}
 *  8         u64   version, 0 unless it is COMMITTED
 * </pre>
 */
public final class CommittedBody extends Body {
  private static final int ENTRIES = 8;
  private static final int ENTRY_BYTES = 16;
  private static final int STATUS = 4;
  private static final int VERSION = 8;

  /** A view of nothing yet. */
  public CommittedBody() {}

  /**
   * Views the body of a COMMITTED.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public CommittedBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.COMMITTED);
    checkCount(0, ENTRIES, ENTRY_BYTES);
    checkZero(4);
    for (int i = 0; i < count(); i++) {
      checkInt(entry(i), "slot");
      checkBelow(entry(i) + STATUS, CommitStatus.COUNT, "status");
    }
    return this;
  }

  /** Number of slots. */
  public int count() {
    return intAt(0);
  }

  /** Slot {@code i}. */
  public int slot(int i) {
    return intAt(entry(i));
  }

  /** Outcome for slot {@code i}. */
  public CommitStatus status(int i) {
    return CommitStatus.of(intAt(entry(i) + STATUS));
  }

  /** Version of slot {@code i}. */
  public long version(int i) {
    return longAt(entry(i) + VERSION);
  }

  private int entry(int i) {
    return ENTRIES + Objects.checkIndex(i, count()) * ENTRY_BYTES;
  }

  /**
   * Begins a COMMITTED; {@code count} calls of {@link #add} and one of {@link #end} must follow.
   */
  public static void begin(FrameWriter writer, int correlationId, int count) {
    writer.begin(MessageType.COMMITTED, 0, correlationId, lengthOf(count));
    writer.putInt(count);
    writer.putInt(0);
  }

  /** Adds the next entry. */
  public static void add(FrameWriter writer, int slot, CommitStatus status, long version) {
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
