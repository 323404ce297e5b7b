package io.kvasir.connectors.protocol;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * RESERVE, and the tail of LOOKUP, ACQUIRE and others: a run of chunks of one prompt.
 *
 * <pre>
 *  offset  type        field
 *  0       u32         space
 *  4       u32         epoch
 *  8       u32         firstPosition: index within the prompt of the first chunk, in chunks
 *  12      u32         count
 *  16      32 B        anchorHash: content hash of the first chunk of the group of firstPosition
 *  48      count*32 B  content hashes in prompt order
 * </pre>
 */
public final class PrefixBody extends Body {
  private static final int EPOCH = 4;
  private static final int FIRST_POSITION = 8;
  private static final int COUNT = 12;
  private static final int ANCHOR = 16;
  private static final int HASHES = ANCHOR + Protocol.HASH_BYTES;

  private int start;

  /** A view of nothing yet. */
  public PrefixBody() {}

  /**
   * Views the body of a RESERVE.
   *
   * @throws MalformedFrameException MALFORMED or INVALID_ARGUMENT
   */
  public PrefixBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.RESERVE);
    return check(0);
  }

  PrefixBody wrap(Frame frame, int start) {
    view(frame);
    return check(start);
  }

  private PrefixBody check(int start) {
    this.start = start;
    checkCount(start + COUNT, start + HASHES, Protocol.HASH_BYTES);
    checkInt(start, "space");
    checkInt(start + EPOCH, "epoch");
    if (firstPosition() < 0 || firstPosition() + count() < 0) {
      throw frame()
          .refused(
              ErrorCode.INVALID_ARGUMENT,
              "firstPosition=" + Integer.toUnsignedString(firstPosition()) + " count=" + count());
    }
    return this;
  }

  /** The space id. */
  public int space() {
    return intAt(start);
  }

  /** The namespace's epoch as the engine knows it. */
  public int epoch() {
    return intAt(start + EPOCH);
  }

  /** Index within the prompt of the first chunk; {@code firstPosition + count} fits an int. */
  public int firstPosition() {
    return intAt(start + FIRST_POSITION);
  }

  /** Number of chunks, 1 to {@link Protocol#ENTRIES_MAX}. */
  public int count() {
    return intAt(start + COUNT);
  }

  /** Offset of the anchor hash in {@link #array()}. */
  public int anchorOffset() {
    return frame().bodyOffset() + start + ANCHOR;
  }

  /** Offset of a content hash in {@link #array()}. */
  public int hashOffset(int index) {
    return frame().bodyOffset()
        + start
        + HASHES
        + Objects.checkIndex(index, count()) * Protocol.HASH_BYTES;
  }

  /** The array that holds the hashes; valid as long as the frame. */
  public byte[] array() {
    return frame().array();
  }

  /** Copies the anchor hash out. */
  public void copyAnchor(byte[] target, int offset) {
    System.arraycopy(array(), anchorOffset(), target, offset, Protocol.HASH_BYTES);
  }

  /** Copies all content hashes out. */
  public void copyHashes(ByteBuffer target) {
    target.put(array(), hashOffset(0), count() * Protocol.HASH_BYTES);
  }

  /** Encodes a RESERVE. */
  public static void encodeReserve(
      FrameWriter writer,
      int correlationId,
      int space,
      int epoch,
      int firstPosition,
      byte[] anchorHash,
      byte[] hashes,
      int count) {
    checkArguments(firstPosition, anchorHash, hashes, count);
    writer.begin(MessageType.RESERVE, 0, correlationId, lengthOf(count));
    put(writer, space, epoch, firstPosition, anchorHash, hashes, count);
    writer.end();
  }

  static int lengthOf(int count) {
    return HASHES + count * Protocol.HASH_BYTES;
  }

  static void checkArguments(int firstPosition, byte[] anchorHash, byte[] hashes, int count) {
    if (count < 1 || count > Protocol.ENTRIES_MAX || hashes.length / Protocol.HASH_BYTES < count) {
      throw new IllegalArgumentException("count=" + count + " hashBytes=" + hashes.length);
    }
    if (firstPosition < 0 || firstPosition + count < 0) {
      throw new IllegalArgumentException("firstPosition=" + firstPosition + " count=" + count);
    }
    if (anchorHash.length != Protocol.HASH_BYTES) {
      throw new IllegalArgumentException("anchorBytes=" + anchorHash.length);
    }
  }

  static void put(
      FrameWriter writer,
      int space,
      int epoch,
      int firstPosition,
      byte[] anchorHash,
      byte[] hashes,
      int count) {
    writer.putInt(space);
    writer.putInt(epoch);
    writer.putInt(firstPosition);
    writer.putInt(count);
    writer.putBytes(anchorHash, 0, Protocol.HASH_BYTES);
    writer.putBytes(hashes, 0, count * Protocol.HASH_BYTES);
  }
}
