package io.kvasir.transport;

import io.aeron.driver.MediaDriver;
import io.aeron.driver.media.SendChannelEndpoint;
import io.aeron.driver.media.UdpChannel;
import org.agrona.concurrent.status.AtomicCounter;

/** Its socket, on which receivers answer the sender, wakes the lane. */
final class WatchedSendEndpoint extends SendChannelEndpoint {
  private final LaneIdle idle;

  WatchedSendEndpoint(
      UdpChannel channel, AtomicCounter statusIndicator, MediaDriver.Context ctx, LaneIdle idle) {
    super(channel, statusIndicator, ctx);
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
}
