package io.kvasir.transport;

import io.aeron.logbuffer.FragmentHandler;
import io.aeron.logbuffer.FrameDescriptor;
import io.aeron.logbuffer.Header;
import io.kvasir.transport.codec.ChunkHeaderDecoder;
import io.kvasir.transport.codec.DataHelloDecoder;
import io.kvasir.transport.codec.SegmentDecoder;
import org.agrona.DirectBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Reads the data streams; a segment's bytes are copied once, from the term buffer into the slot.
 * Lane thread only; allocates nothing.
 */
final class DataReader implements FragmentHandler {
  /** What the lane does with streams that are not bound. */
  interface Binding {
    void onDataHello(Inbound from, long nodeId, long token);

    void onBreach(Inbound from, String what);
  }

  private final Binding binding;
  private final MessageFrame frame = new MessageFrame();
  private final DataHelloDecoder dataHello = new DataHelloDecoder();
  private final ChunkHeaderDecoder chunkHeader = new ChunkHeaderDecoder();
  private final SegmentDecoder segment = new SegmentDecoder();
  private @Nullable Inbound current;
  private long nowNs;

  DataReader(Binding binding) {
    this.binding = binding;
  }

  int poll(Inbound inbound, int limit, long now) {
    current = inbound;
    nowNs = now;
    return inbound.image.poll(this, limit);
  }

  @Override
  public void onFragment(DirectBuffer buffer, int offset, int length, Header header) {
    Inbound from = current;
    if (from == null || !from.isHeeded()) {
      return;
    }
    boolean isWhole =
        (header.flags() & FrameDescriptor.UNFRAGMENTED) == FrameDescriptor.UNFRAGMENTED;
    if (!isWhole || !frame.wrap(buffer, offset, length)) {
      binding.onBreach(from, "not a message of this protocol");
      return;
    }
    Session session = from.session();
    boolean isGood;
    if (session == null) {
      isGood = frame.templateId() == DataHelloDecoder.TEMPLATE_ID && onDataHello(from);
    } else {
      session.heard(nowNs);
      isGood =
          switch (frame.templateId()) {
            case SegmentDecoder.TEMPLATE_ID -> onSegment(session);
            case ChunkHeaderDecoder.TEMPLATE_ID -> onChunkHeader(session);
            default -> false;
          };
    }
    if (!isGood) {
      binding.onBreach(from, "message not allowed or malformed");
    }
  }

  private boolean onDataHello(Inbound from) {
    if (!frame.holds(DataHelloDecoder.BLOCK_LENGTH)) {
      return false;
    }
    dataHello.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    binding.onDataHello(from, dataHello.nodeId(), dataHello.token());
    return true;
  }

  private boolean onChunkHeader(Session session) {
    if (!frame.holds(ChunkHeaderDecoder.BLOCK_LENGTH)) {
      return false;
    }
    chunkHeader.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    session.pulls.onHeader(
        chunkHeader.transferId(),
        chunkHeader.chunk(),
        chunkHeader.version(),
        chunkHeader.lengthBytes(),
        chunkHeader.fromOffset(),
        chunkHeader.crc32c());
    return true;
  }

  private boolean onSegment(Session session) {
    if (!frame.holds(SegmentDecoder.BLOCK_LENGTH)) {
      return false;
    }
    segment.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    int lengthBytes = segment.lengthBytes();
    int payload = frame.afterBlock();
    if (lengthBytes != frame.end() - payload) {
      return false;
    }
    session.pulls.onSegment(
        segment.transferId(),
        segment.chunk(),
        segment.version(),
        segment.chunkOffset(),
        frame.buffer(),
        payload,
        lengthBytes);
    return true;
  }
}
