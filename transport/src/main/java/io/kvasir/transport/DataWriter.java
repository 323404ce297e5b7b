package io.kvasir.transport;

import io.aeron.ExclusivePublication;
import io.aeron.logbuffer.BufferClaim;
import io.kvasir.transport.codec.ChunkHeaderEncoder;
import io.kvasir.transport.codec.DataHelloEncoder;
import io.kvasir.transport.codec.MessageHeaderEncoder;
import io.kvasir.transport.codec.SegmentEncoder;

/**
 * Writes the data stream. A segment's bytes are copied once, from the slab into the claimed term
 * buffer that the driver sends from. Lane thread only; allocates nothing.
 */
final class DataWriter {
  /** Bytes of a segment message before the payload. */
  static final int SEGMENT_OVERHEAD_BYTES =
      MessageHeaderEncoder.ENCODED_LENGTH + SegmentEncoder.BLOCK_LENGTH;

  /** Payloads are cut at cache lines, so that copies into the slot stay aligned. */
  private static final int PAYLOAD_ALIGNMENT = 64;

  private final BufferClaim claim = new BufferClaim();
  private final MessageHeaderEncoder header = new MessageHeaderEncoder();
  private final DataHelloEncoder dataHello = new DataHelloEncoder();
  private final ChunkHeaderEncoder chunkHeader = new ChunkHeaderEncoder();
  private final SegmentEncoder segment = new SegmentEncoder();

  boolean dataHello(ExclusivePublication to, long nodeId, long token) {
    if (to.tryClaim(MessageHeaderEncoder.ENCODED_LENGTH + DataHelloEncoder.BLOCK_LENGTH, claim)
        <= 0) {
      return false;
    }
    dataHello
        .wrapAndApplyHeader(claim.buffer(), claim.offset(), header)
        .nodeId(nodeId)
        .token(token);
    claim.commit();
    return true;
  }

  boolean chunkHeader(ExclusivePublication to, Serve serve) {
    if (to.tryClaim(MessageHeaderEncoder.ENCODED_LENGTH + ChunkHeaderEncoder.BLOCK_LENGTH, claim)
        <= 0) {
      return false;
    }
    chunkHeader
        .wrapAndApplyHeader(claim.buffer(), claim.offset(), header)
        .transferId(serve.transferId)
        .version(serve.foundVersion())
        .chunk(serve.chunk())
        .lengthBytes(serve.lengthBytes())
        .fromOffset(serve.fromOffset())
        .crc32c(serve.crc32c());
    claim.commit();
    return true;
  }

  /** Largest payload of a segment on this publication. */
  static int payloadMax(ExclusivePublication to) {
    return (to.maxPayloadLength() - SEGMENT_OVERHEAD_BYTES) & -PAYLOAD_ALIGNMENT;
  }

  /** Sends the next bytes of the serve's current chunk. */
  boolean segment(ExclusivePublication to, Serve serve, int lengthBytes) {
    if (to.tryClaim(SEGMENT_OVERHEAD_BYTES + lengthBytes, claim) <= 0) {
      return false;
    }
    boolean isFilled = false;
    try {
      segment
          .wrapAndApplyHeader(claim.buffer(), claim.offset(), header)
          .transferId(serve.transferId)
          .version(serve.foundVersion())
          .chunk(serve.chunk())
          .chunkOffset(serve.offset())
          .lengthBytes(lengthBytes)
          .reserved(0);
      TermMemory.fill(
          claim.buffer(),
          claim.offset() + SEGMENT_OVERHEAD_BYTES,
          serve.memory(),
          serve.offset(),
          lengthBytes);
      isFilled = true;
    } finally {
      // A claim that is neither committed nor aborted would block the publication for good.
      if (isFilled) {
        claim.commit();
      } else {
        claim.abort();
      }
    }
    return true;
  }
}
