package io.kvasir.node.local;

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
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/** Asks a node for its counters, without mapping its slab. */
public final class NodeProbe {
  private static final int PENDING_BYTES_MAX = 17 << 20;

  private NodeProbe() {}

  /**
   * Asks once.
   *
   * @param socket {@code engine.sock} in the node's run directory
   * @param timeout limit of the whole call
   * @return the JSON that STATS answers
   * @throws IOException if there is no node, or it does not answer in time
   */
  public static String stats(final Path socket, final Duration timeout) throws IOException {
    final long deadlineNs = System.nanoTime() + timeout.toNanos();
    final FrameReader reader = new FrameReader(Side.NODE);
    final FrameWriter writer = new FrameWriter(PENDING_BYTES_MAX);
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        Selector selector = Selector.open()) {
      channel.configureBlocking(false);
      // A blocking connect would wait without limit for a node that does not accept.
      if (!channel.connect(UnixDomainSocketAddress.of(socket))) {
        throw new IOException("the node does not accept connections - socket=" + socket);
      }
      channel.register(selector, SelectionKey.OP_READ);
      JsonBody.encode(writer, MessageType.HELLO, 1, hello().getBytes(StandardCharsets.UTF_8));
      EmptyBody.encode(writer, MessageType.STATS, 2);
      writer.flushTo(channel);
      while (true) {
        final Frame frame = reader.next();
        if (frame == null) {
          await(selector, socket, deadlineNs);
          if (reader.readFrom(channel) < 0) {
            throw new IOException("the node closed the connection - socket=" + socket);
          }
        } else if (frame.type() == MessageType.STATS_OK) {
          return JsonBody.text(frame);
        } else if (frame.type() != MessageType.HELLO_OK) {
          throw new IOException("unexpected answer - type=" + frame.type() + " socket=" + socket);
        }
      }
    }
  }

  private static void await(final Selector selector, final Path socket, final long deadlineNs)
      throws IOException {
    final long millis = TimeUnit.NANOSECONDS.toMillis(deadlineNs - System.nanoTime());
    if (millis <= 0 || selector.select(_ -> {}, millis) == 0) {
      throw new IOException("the node does not answer in time - socket=" + socket);
    }
  }

  private static String hello() {
    return "{\"protocolMin\":1,\"protocolMax\":1,\"engine\":\"probe\",\"engineVersion\":\"1\",\"pid\":"
        + ProcessHandle.current().pid()
        + ",\"startTimeMillis\":0,\"instance\":\""
        + UUID.randomUUID()
        + "\",\"role\":\"worker\",\"rank\":0,\"world\":1}";
  }
}
