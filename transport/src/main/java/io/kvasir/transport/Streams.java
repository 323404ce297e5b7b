package io.kvasir.transport;

import io.aeron.ChannelUriStringBuilder;

/** The two Aeron streams of a node's endpoint, and their channels. */
final class Streams {
  /** Handshakes, requests, credits. */
  static final int CONTROL = 1;

  /** Segments. */
  static final int DATA = 2;

  static final int CONTROL_TERM_BYTES = 256 * 1024;

  /** How far a lane copies ahead of the socket: what the core's own cache holds. */
  private static final int SEND_AHEAD_BYTES = 256 * 1024;

  private static final int CONTROL_MTU_MAX_BYTES = 8_192;
  private static final int MTU_LOOPBACK_BYTES = 65_504;
  private static final int MTU_DEFAULT_BYTES = 1_408;

  private Streams() {}

  /** The configured MTU, or the default for the numeric address. */
  static int mtuBytes(TransportConfig config, String numericAddress) {
    if (config.mtuBytes() != 0) {
      return config.mtuBytes();
    }
    boolean loopback = numericAddress.startsWith("127.") || isIpv6Loopback(numericAddress);
    return loopback ? MTU_LOOPBACK_BYTES : MTU_DEFAULT_BYTES;
  }

  private static boolean isIpv6Loopback(String numericAddress) {
    return numericAddress.equals("[::1]") || numericAddress.equals("[0:0:0:0:0:0:0:1]");
  }

  /** Channel of a control publication to a peer. */
  static String control(Endpoint peer, int mtuBytes, SocketBuffers buffers) {
    return publication(peer, controlMtuBytes(mtuBytes), CONTROL_TERM_BYTES, buffers);
  }

  static int controlMtuBytes(int mtuBytes) {
    return Math.min(mtuBytes, CONTROL_MTU_MAX_BYTES);
  }

  /** Channel of a data publication to a peer. */
  static String data(Endpoint peer, int mtuBytes, int termBytes, SocketBuffers buffers) {
    return publication(peer, mtuBytes, termBytes, buffers);
  }

  private static String publication(Endpoint peer, int mtu, int term, SocketBuffers buffers) {
    return new ChannelUriStringBuilder()
        .media("udp")
        .endpoint(peer.toString())
        .mtu(mtu)
        .publicationWindowLength(Math.min(SEND_AHEAD_BYTES, term / 2))
        .termLength(term)
        .sparse(true)
        .socketSndbufLength(buffers.sendBytes())
        .build();
  }

  /** Channel of the first subscription; the tag lets the second one share its socket. */
  static String subscription(String address, int port, long tag, SocketBuffers buffers) {
    return new ChannelUriStringBuilder()
        .media("udp")
        .endpoint(address + ":" + port)
        .tags(Long.toString(tag))
        .socketRcvbufLength(buffers.receiveBytes())
        .receiverWindowLength(buffers.windowBytes())
        .build();
  }

  /** Channel of the second subscription on the same socket. */
  static String subscriptionOfTag(long tag) {
    return new ChannelUriStringBuilder().media("udp").tags(Long.toString(tag)).build();
  }
}
