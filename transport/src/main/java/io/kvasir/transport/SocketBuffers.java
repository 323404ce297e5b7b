package io.kvasir.transport;

import java.io.IOException;
import java.net.SocketOption;
import java.net.StandardSocketOptions;
import java.nio.channels.DatagramChannel;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the machine grants for UDP sockets, and the window that fits: Aeron refuses a window above
 * the receive buffer, because a sender may fill the window before the receiver is scheduled.
 *
 * @param receiveBytes granted SO_RCVBUF.
 * @param sendBytes granted SO_SNDBUF.
 * @param windowBytes receiver window in force.
 */
record SocketBuffers(int receiveBytes, int sendBytes, int windowBytes) {
  private static final Logger LOG = LoggerFactory.getLogger(SocketBuffers.class);
  private static final int WANTED_BYTES = 4 << 20;

  /** Asks a socket of this machine. */
  static SocketBuffers probe(int windowBytes, int mtuBytes) throws IOException {
    try (DatagramChannel channel = DatagramChannel.open()) {
      int wanted = Math.max(WANTED_BYTES, windowBytes);
      int receive = granted(channel, StandardSocketOptions.SO_RCVBUF, wanted);
      int send = granted(channel, StandardSocketOptions.SO_SNDBUF, wanted);
      if (receive < mtuBytes || send < mtuBytes) {
        throw new IOException(
            "KVA-0405 socket buffers too small - receiveBytes="
                + receive
                + " sendBytes="
                + send
                + " (limit="
                + mtuBytes
                + ", the MTU); raise net.core.rmem_max and net.core.wmem_max");
      }
      if (receive < windowBytes) {
        LOG.warn(
            "KVA-0406 receiver window reduced - wantedBytes={} grantedBytes={};"
                + " for full speed set sysctl net.core.rmem_max={}",
            windowBytes,
            receive,
            windowBytes);
      }
      return new SocketBuffers(receive, send, Math.min(windowBytes, receive));
    }
  }

  private static int granted(DatagramChannel channel, SocketOption<Integer> option, int wanted)
      throws IOException {
    channel.setOption(option, wanted);
    return Math.min(wanted, channel.getOption(option));
  }
}
