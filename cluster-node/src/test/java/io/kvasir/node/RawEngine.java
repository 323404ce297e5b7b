package io.kvasir.node;

import io.kvasir.connectors.protocol.EmptyBody;
import io.kvasir.connectors.protocol.Frame;
import io.kvasir.connectors.protocol.FrameReader;
import io.kvasir.connectors.protocol.FrameWriter;
import io.kvasir.connectors.protocol.JsonBody;
import io.kvasir.connectors.protocol.MessageType;
import io.kvasir.connectors.protocol.Side;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** An engine socket without a client: nothing is answered by itself. Blocking. */
final class RawEngine implements AutoCloseable {
  private final SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
  private final FrameReader reader = new FrameReader(Side.NODE);
  private final FrameWriter writer = new FrameWriter(17 << 20);

  RawEngine(final Path socket) throws IOException {
    channel.connect(UnixDomainSocketAddress.of(socket));
    final String hello =
        """
        {"protocolMin":1,"protocolMax":1,"engine":"raw","engineVersion":"1","pid":%d,\
        "startTimeMillis":0,"instance":"%s","role":"scheduler","rank":0,"world":1}\
        """
            .formatted(ProcessHandle.current().pid(), UUID.randomUUID());
    JsonBody.encode(writer, MessageType.HELLO, 1, hello.getBytes(StandardCharsets.UTF_8));
    writer.flushTo(channel);
    if (next() != MessageType.HELLO_OK) {
      throw new IOException("not greeted");
    }
  }

  /** Does not wait for the answer. */
  void ask(final MessageType type, final int correlationId) throws IOException {
    EmptyBody.encode(writer, type, correlationId);
    writer.flushTo(channel);
  }

  /** The type of the next frame, or null when the node has hung up. */
  @Nullable MessageType next() throws IOException {
    Frame frame = reader.next();
    while (frame == null) {
      if (reader.readFrom(channel) < 0) {
        return null;
      }
      frame = reader.next();
    }
    return frame.type();
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
