package io.kvasir.node;

import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.HexFormat;

/**
 * Connects to the socket that its argument names and prints in hex what comes until the end. It
 * runs as another user, who may see this class file alone: it uses nothing but the JDK.
 */
final class PeerCredentialsProbe {
  private PeerCredentialsProbe() {}

  public static void main(final String[] arguments) throws Exception {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(arguments[0]));
      final ByteBuffer bytes = ByteBuffer.allocate(1 << 16);
      while (channel.read(bytes) >= 0) {
        // The node hangs up when it has said why.
      }
      System.out.println(HexFormat.of().formatHex(bytes.array(), 0, bytes.position()));
    }
  }
}
