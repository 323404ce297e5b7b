package io.kvasir.transport;

import io.aeron.driver.DataPacketDispatcher;
import io.aeron.driver.MediaDriver;
import io.aeron.driver.media.ReceiveChannelEndpoint;
import io.aeron.driver.media.UdpChannel;
import io.aeron.logbuffer.FrameDescriptor;
import io.aeron.logbuffer.LogBufferDescriptor;
import io.aeron.protocol.DataHeaderFlyweight;
import io.aeron.protocol.SetupFlyweight;
import java.net.InetSocketAddress;
import org.agrona.BitUtil;
import org.agrona.concurrent.UnsafeBuffer;
import org.agrona.concurrent.status.AtomicCounter;

/**
 * Drops Aeron frames that do not fit, before the driver works with them. Anyone can send one. A
 * set-up may ask for terms of 1 GiB, and a data frame may be shorter than its header, which the
 * driver would notice only by an exception half way into the log buffer. Its socket wakes the lane.
 */
final class GuardedReceiveEndpoint extends ReceiveChannelEndpoint {
  /** Longest term that a peer may use; its image maps three, sparsely. */
  static final int TERM_MAX_BYTES = 16 << 20;

  private final Runnable onDropped;
  private final LaneIdle idle;

  GuardedReceiveEndpoint(
      UdpChannel channel,
      DataPacketDispatcher dispatcher,
      AtomicCounter statusIndicator,
      MediaDriver.Context context,
      Runnable onDropped,
      LaneIdle idle) {
    super(channel, dispatcher, statusIndicator, context);
    this.onDropped = onDropped;
    this.idle = idle;
  }

  @Override
  public void openDatagramChannel(AtomicCounter statusIndicator) {
    super.openDatagramChannel(statusIndicator);
    idle.watch(receiveDatagramChannel());
  }

  @Override
  public void close() {
    super.close();
    idle.forgetClosed();
  }

  @Override
  public void onSetupMessage(
      SetupFlyweight header,
      UnsafeBuffer buffer,
      int length,
      InetSocketAddress source,
      int transportIndex) {
    if (isAcceptable(header, length)) {
      super.onSetupMessage(header, buffer, length, source, transportIndex);
    } else {
      onDropped.run();
    }
  }

  @Override
  public int onDataPacket(
      DataHeaderFlyweight header,
      UnsafeBuffer buffer,
      int length,
      InetSocketAddress source,
      int transportIndex) {
    if (isAcceptable(header, length)) {
      return super.onDataPacket(header, buffer, length, source, transportIndex);
    }
    onDropped.run();
    return 0;
  }

  /** Only the first frame of the packet is looked at: readers check the length of every message. */
  static boolean isAcceptable(DataHeaderFlyweight data, int length) {
    if (length < DataHeaderFlyweight.HEADER_LENGTH
        || data.termOffset() < 0
        || data.termOffset() % FrameDescriptor.FRAME_ALIGNMENT != 0) {
      return false;
    }
    int frame = data.frameLength();
    return frame == 0
        ? length == DataHeaderFlyweight.HEADER_LENGTH // a heartbeat
        : frame >= DataHeaderFlyweight.HEADER_LENGTH;
  }

  static boolean isAcceptable(SetupFlyweight setup, int length) {
    if (length < SetupFlyweight.HEADER_LENGTH) {
      return false;
    }
    int term = setup.termLength();
    int mtu = setup.mtuLength();
    int offset = setup.termOffset();
    return BitUtil.isPowerOfTwo(term)
        && term >= LogBufferDescriptor.TERM_MIN_LENGTH
        && term <= TERM_MAX_BYTES
        && mtu >= TransportConfig.MTU_MIN_BYTES
        && mtu <= TransportConfig.MTU_MAX_BYTES
        && mtu % FrameDescriptor.FRAME_ALIGNMENT == 0
        && mtu <= term / 2
        && offset >= 0
        && offset <= term
        && offset % FrameDescriptor.FRAME_ALIGNMENT == 0
        && setup.activeTermId() - setup.initialTermId() >= 0
        && (setup.streamId() == Streams.CONTROL || setup.streamId() == Streams.DATA);
  }
}
