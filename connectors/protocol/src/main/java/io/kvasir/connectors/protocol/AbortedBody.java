package io.kvasir.connectors.protocol;

import java.util.Objects;

/**
 * ABORTED: a status per slot.
 *
 * <pre>
 *  offset   type  field
 *  0        u32   count
 *  4        u32   zero
 *  8 + 8 i  u32   slot
 *  12 + 8 i u32   status, see {@link AbortStatus}
 * </pre>
 */
public final class AbortedBody extends Body {
  private static final int ENTRIES = 8;
  private static final int ENTRY_BYTES = 8;
  private static final int STATUS = 4;

  /** A view of nothing yet. */
  public AbortedBody() {}

  /**
   * Views the body of an ABORTED.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public AbortedBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.ABORTED);
    checkCount(0, ENTRIES, ENTRY_BYTES);
    checkZero(4);
    for (int i = 0; i < count(); i++) {
      checkInt(entry(i), "slot");
      checkBelow(entry(i) + STATUS, AbortStatus.COUNT, "status");
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
  public AbortStatus status(int i) {
    return AbortStatus.of(intAt(entry(i) + STATUS));
  }

  private int entry(int i) {
    return ENTRIES + Objects.checkIndex(i, count()) * ENTRY_BYTES;
  }

  /** Begins an ABORTED; {@code count} calls of {@link #add} and one of {@link #end} must follow. */
  public static void begin(FrameWriter writer, int correlationId, int count) {
    writer.begin(MessageType.ABORTED, 0, correlationId, lengthOf(count));
    writer.putInt(count);
    writer.putInt(0);
  }

  /** Adds the next entry. */
  public static void add(FrameWriter writer, int slot, AbortStatus status) {
    writer.putInt(slot);
    writer.putInt(status.code());
  }

  /** Ends the frame. */
  public static void end(FrameWriter writer) {
    writer.end();
  }

  static int lengthOf(int count) {
    return ENTRIES + count * ENTRY_BYTES;
  }
}
