package io.kvasir.connectors.protocol;

import java.util.Objects;

/**
 * READY: consecutive chunks of an acquisition are resident and pinned.
 *
 * <pre>
 *  offset     type  field
 *  0          u64   acquireId
 *  8          u32   firstIndex: index within the acquired run
 *  12         u32   count
 *  16 + 32 i        entry
 *
 *  entry
 *  0          u32   slot
 *  4          u32   segment
 *  8          u64   segmentOffset
 *  16         u32   lengthBytes
 *  20         u32   source, see {@link ChunkSource}
 *  24         u64   version
 * </pre>
 */
public final class ReadyBody extends Body {
  private static final int FIRST_INDEX = 8;
  private static final int COUNT = 12;
  private static final int ENTRIES = 16;
  private static final int ENTRY_BYTES = 32;
  private static final int SEGMENT = 4;
  private static final int SEGMENT_OFFSET = 8;
  private static final int LENGTH_BYTES = 16;
  private static final int SOURCE = 20;
  private static final int VERSION = 24;

  /** A view of nothing yet. */
  public ReadyBody() {}

  /**
   * Views the body of a READY.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public ReadyBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.READY);
    checkInt(FIRST_INDEX, "firstIndex");
    checkCount(COUNT, ENTRIES, ENTRY_BYTES);
    for (int i = 0; i < count(); i++) {
      final int entry = entry(i);
      checkInt(entry, "slot");
      checkInt(entry + SEGMENT, "segment");
      checkLong(entry + SEGMENT_OFFSET, "segmentOffset");
      checkInt(entry + LENGTH_BYTES, "lengthBytes");
      checkBelow(entry + SOURCE, ChunkSource.COUNT, "source");
    }
    return this;
  }

  /** Names the acquisition. */
  public long acquireId() {
    return longAt(0);
  }

  /** Index within the acquired run of the first chunk named here. */
  public int firstIndex() {
    return intAt(FIRST_INDEX);
  }

  /** Number of chunks named here. */
  public int count() {
    return intAt(COUNT);
  }

  /** Slot of entry {@code i}. */
  public int slot(int i) {
    return intAt(entry(i));
  }

  /** Segment file of entry {@code i}. */
  public int segment(int i) {
    return intAt(entry(i) + SEGMENT);
  }

  /** Offset of entry {@code i} in its segment file, in bytes. */
  public long segmentOffset(int i) {
    return longAt(entry(i) + SEGMENT_OFFSET);
  }

  /** Length of entry {@code i} in bytes. */
  public int lengthBytes(int i) {
    return intAt(entry(i) + LENGTH_BYTES);
  }

  /** Where entry {@code i} came from. */
  public ChunkSource source(int i) {
    return ChunkSource.of(intAt(entry(i) + SOURCE));
  }

  /** Version of entry {@code i}. */
  public long version(int i) {
    return longAt(entry(i) + VERSION);
  }

  private int entry(int i) {
    return ENTRIES + Objects.checkIndex(i, count()) * ENTRY_BYTES;
  }

  /** Begins a READY; {@code count} calls of {@link #add} and one of {@link #end} must follow. */
  public static void begin(FrameWriter writer, long acquireId, int firstIndex, int count) {
    writer.begin(MessageType.READY, 0, 0, lengthOf(count));
    writer.putLong(acquireId);
    writer.putInt(firstIndex);
    writer.putInt(count);
  }

  /** Adds the next entry. */
  public static void add(
      FrameWriter writer,
      int slot,
      int segment,
      long segmentOffset,
      int lengthBytes,
      ChunkSource source,
      long version) {
    writer.putInt(slot);
    writer.putInt(segment);
    writer.putLong(segmentOffset);
    writer.putInt(lengthBytes);
    writer.putInt(source.code());
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
