package io.kvasir.connectors.protocol;

import java.util.Objects;

/**
 * CREATE_HANDOFF: the chunks of a run will be handed to other nodes, slice by slice.
 *
 * <pre>
 *  offset  type    field
 *  0       u64     handoffId, never 0
 *  8       u32     deadlineMs, 1 to 600,000
 *  12      u32     sliceBytes: length of every slice of a chunk but the last
 *  16      u32     receivers, 1 to 8
 *  20      u32     zero
 *  24      n × u64 node ids of the receivers
 *  ...     prefix  see {@link PrefixBody}
 * </pre>
 */
public final class CreateHandoffBody extends Body {
  private static final int DEADLINE_MS = 8;
  private static final int SLICE_BYTES = 12;
  private static final int RECEIVERS = 16;
  private static final int NODE_IDS = 24;

  private final PrefixBody prefix = new PrefixBody();

  /** A view of nothing yet. */
  public CreateHandoffBody() {}

  /**
   * Views the body of a CREATE_HANDOFF.
   *
   * @throws MalformedFrameException MALFORMED or INVALID_ARGUMENT
   */
  public CreateHandoffBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.CREATE_HANDOFF);
    checkZero(20);
    if (receivers() < 1 || receivers() > Protocol.RECEIVERS_MAX) {
      throw malformed("receivers", Integer.toUnsignedString(receivers()));
    }
    checkInt(SLICE_BYTES, "sliceBytes");
    if (frame.bodyLength() < NODE_IDS + receivers() * Long.BYTES + PrefixBody.lengthOf(1)) {
      throw malformed("receivers", receivers() + " body=" + frame.bodyLength());
    }
    prefix.wrap(frame, NODE_IDS + receivers() * Long.BYTES);
    if (handoffId() == 0 || sliceBytes() == 0 || !isDeadline(deadlineMs())) {
      throw frame.refused(
          ErrorCode.INVALID_ARGUMENT,
          "handoffId="
              + Long.toHexString(handoffId())
              + " sliceBytes="
              + sliceBytes()
              + " deadlineMs="
              + Integer.toUnsignedString(deadlineMs())
              + " (limit="
              + Protocol.DEADLINE_MS_MAX
              + ")");
    }
    return this;
  }

  /** Names the hand-off in the whole cluster. */
  public long handoffId() {
    return longAt(0);
  }

  /** Milliseconds from now after which nothing is sent any more. */
  public int deadlineMs() {
    return intAt(DEADLINE_MS);
  }

  /** Length of every slice of a chunk but the last. */
  public int sliceBytes() {
    return intAt(SLICE_BYTES);
  }

  /** Number of nodes that shall get the chunks. */
  public int receivers() {
    return intAt(RECEIVERS);
  }

  /** Node id of receiver {@code i}. */
  public long receiver(int i) {
    return longAt(NODE_IDS + Objects.checkIndex(i, receivers()) * Long.BYTES);
  }

  /** The chunks. */
  public PrefixBody prefix() {
    return prefix;
  }

  /** Encodes a CREATE_HANDOFF. */
  public static void encode(
      FrameWriter writer,
      int correlationId,
      long handoffId,
      int deadlineMs,
      int sliceBytes,
      long[] receivers,
      int space,
      int epoch,
      int firstPosition,
      byte[] anchorHash,
      byte[] hashes,
      int count) {
    PrefixBody.checkArguments(firstPosition, anchorHash, hashes, count);
    if (handoffId == 0
        || !isDeadline(deadlineMs)
        || sliceBytes < 1
        || receivers.length < 1
        || receivers.length > Protocol.RECEIVERS_MAX) {
      throw new IllegalArgumentException(
          "handoffId="
              + handoffId
              + " deadlineMs="
              + deadlineMs
              + " sliceBytes="
              + sliceBytes
              + " receivers="
              + receivers.length);
    }
    writer.begin(
        MessageType.CREATE_HANDOFF,
        0,
        correlationId,
        NODE_IDS + receivers.length * Long.BYTES + PrefixBody.lengthOf(count));
    writer.putLong(handoffId);
    writer.putInt(deadlineMs);
    writer.putInt(sliceBytes);
    writer.putInt(receivers.length);
    writer.putInt(0);
    for (final long receiver : receivers) {
      writer.putLong(receiver);
    }
    PrefixBody.put(writer, space, epoch, firstPosition, anchorHash, hashes, count);
    writer.end();
  }

  private static boolean isDeadline(int deadlineMs) {
    return deadlineMs >= 1 && deadlineMs <= Protocol.DEADLINE_MS_MAX;
  }

  static int lengthOf(int receivers, int count) {
    return NODE_IDS + receivers * Long.BYTES + PrefixBody.lengthOf(count);
  }
}
