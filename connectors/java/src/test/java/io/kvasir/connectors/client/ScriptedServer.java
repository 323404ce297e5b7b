package io.kvasir.connectors.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.kvasir.connectors.protocol.Frame;
import io.kvasir.connectors.protocol.FrameReader;
import io.kvasir.connectors.protocol.FrameWriter;
import io.kvasir.connectors.protocol.JsonBody;
import io.kvasir.connectors.protocol.MessageType;
import io.kvasir.connectors.protocol.Side;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Another program behind a socket file: it serves one connection by a script. What it says may be
 * right, wrong or nothing at all.
 */
final class ScriptedServer implements AutoCloseable {
  static final int SEGMENT_BYTES = 1 << 20;

  private final ServerSocketChannel listener;
  private final CompletableFuture<Void> done = new CompletableFuture<>();
  private final Thread thread;
  private final Path socket;

  /** What the server does with its connection; it may throw when the client goes. */
  interface Script {
    void run(Peer peer) throws IOException;
  }

  ScriptedServer(Path folder, Script script) throws IOException {
    socket = folder.resolve("engine.sock");
    listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listener.bind(UnixDomainSocketAddress.of(socket));
    thread = Thread.ofPlatform().name("scripted-server").start(() -> serve(script));
  }

  Path socket() {
    return socket;
  }

  /** A segment file as a node would make it. */
  static Path segment(Path folder) throws IOException {
    return Files.write(folder.resolve("segment-0.slab"), new byte[SEGMENT_BYTES]);
  }

  static String helloOk(Path segment, long bytes) {
    return "{\"protocol\":1,\"session\":1,\"node\":\"n\",\"segments\":[{\"index\":0,\"path\":\""
        + segment
        + "\",\"bytes\":"
        + bytes
        + "}]}";
  }

  @Override
  public void close() throws IOException {
    listener.close();
    thread.interrupt();
    try {
      done.get(10, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw new AssertionError("the script failed", e.getCause());
    } catch (InterruptedException | TimeoutException e) {
      throw new IllegalStateException("the script did not end", e);
    }
    Files.deleteIfExists(socket);
  }

  private void serve(Script script) {
    try (SocketChannel channel = listener.accept()) {
      script.run(new Peer(channel));
      done.complete(null);
    } catch (IOException e) {
      // The client has gone, or the test has ended: both are how a script may end.
      done.complete(null);
    } catch (Throwable t) {
      done.completeExceptionally(t);
    }
  }

  /** The server's end of the connection. */
  static final class Peer {
    private final SocketChannel channel;
    private final FrameReader reader = new FrameReader(Side.ENGINE);
    private final FrameWriter writer = new FrameWriter(64 * 1024 * 1024);

    Peer(SocketChannel channel) {
      this.channel = channel;
    }

    /** The next frame, which must be of this type. */
    Frame expect(MessageType type) throws IOException {
      Frame frame = reader.next();
      while (frame == null) {
        if (reader.readFrom(channel) < 0) {
          throw new IOException("the client has gone");
        }
        frame = reader.next();
      }
      if (frame.type() != type) {
        throw new AssertionError("expected " + type + " but got " + frame.type());
      }
      return frame;
    }

    FrameWriter writer() {
      return writer;
    }

    void flush() throws IOException {
      writer.flushTo(channel);
    }

    void sendRaw(byte[] bytes) throws IOException {
      channel.write(ByteBuffer.wrap(bytes));
    }

    /** Answers a request that has a JSON answer. */
    void answer(MessageType request, String json) throws IOException {
      final Frame frame = expect(request);
      JsonBody.encode(writer, request.reply(), frame.correlationId(), json.getBytes(UTF_8));
      flush();
    }

    /** Stays silent until the client closes. */
    void hang() throws IOException {
      final ByteBuffer sink = ByteBuffer.allocate(4096);
      while (channel.read(sink.clear()) >= 0) {
        // The script has nothing more to say.
      }
    }
  }
}
