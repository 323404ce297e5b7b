package io.kvasir.benchmarks.reference;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;

/** The sending half of {@link JavaTcp}. */
final class TcpSender implements SenderMain.Sender {
  private static final long IDLE_NS = 1_000_000_000;

  private final SocketChannel channel;
  private final ByteBuffer header =
      ByteBuffer.allocateDirect(JavaTcp.HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);

  TcpSender(int port) throws IOException {
    channel = SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
  }

  @Override
  public void send(ByteBuffer source, int chunkBytes, int[] crc32c) throws IOException {
    for (int chunk = 0; chunk < crc32c.length; chunk++) {
      writeFully(header.clear().putInt(crc32c[chunk]).putInt(chunkBytes).flip());
      int at = chunk * chunkBytes;
      writeFully(source.duplicate().position(at).limit(at + chunkBytes));
    }
  }

  private void writeFully(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  @Override
  public long idle() {
    return IDLE_NS;
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
