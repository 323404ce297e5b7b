package io.kvasir.transport;

import io.aeron.driver.MediaDriver;
import io.aeron.driver.ext.DebugReceiveChannelEndpoint;
import io.aeron.driver.ext.LossGenerator;
import java.net.InetSocketAddress;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Drops what a reader receives of chunks, but for the first frames, until it is opened: until then
 * a pull is under way and cannot end. Control and heartbeats pass.
 */
final class DataGate implements LossGenerator {
  /** Longer than any message but segments. */
  private static final int OTHER_BYTES_MAX = 4_096;

  private final AtomicInteger left = new AtomicInteger(8);
  private volatile boolean isOpen;

  void open() {
    isOpen = true;
  }

  Consumer<MediaDriver.Context> inReader() {
    return driver ->
        driver.receiveChannelEndpointSupplier(
            (channel, dispatcher, status, context) ->
                new DebugReceiveChannelEndpoint(
                    channel, dispatcher, status, context, this, (from, buffer, length) -> false));
  }

  @Override
  public boolean shouldDropFrame(InetSocketAddress from, UnsafeBuffer buffer, int length) {
    return !isOpen && length > OTHER_BYTES_MAX && left.getAndDecrement() <= 0;
  }
}
