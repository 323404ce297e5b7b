package io.kvasir.node.index;

import io.kvasir.node.peer.IndexQuestions;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What a member says on the discovery port of its seed while it joins. */
public final class JoinRecording implements AutoCloseable {
  private final int seedPort;
  private final ServerSocket relay;
  private final List<ByteArrayOutputStream> said = new ArrayList<>();

  private JoinRecording(final int seedPort) throws IOException {
    this.seedPort = seedPort;
    this.relay = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
    Thread.ofVirtual().start(this::accept);
  }

  /**
   * Lets a member join through a relay and leave again.
   *
   * @param clusterName name of the cluster of the seed
   * @param discoveryPort the seed's
   * @param directory for Ignite's files
   * @return per connection to the seed, the bytes that the joining member sent
   */
  public static List<byte[]> of(
      final String clusterName, final int discoveryPort, final Path directory) throws IOException {
    try (JoinRecording recording = new JoinRecording(discoveryPort)) {
      final IndexConfig config =
          new IndexConfig(
              clusterName,
              999,
              "guest",
              "127.0.0.1",
              0,
              0,
              List.of("127.0.0.1:" + recording.relay.getLocalPort()),
              "127.0.0.1:1",
              "guest",
              1L << 20,
              List.of(),
              64L << 20,
              directory);
      ClusterIndex.start(config, new IndexCluster.Node(), new IndexQuestions()).close();
      return recording.conversations();
    }
  }

  private void accept() {
    while (!relay.isClosed()) {
      try {
        final Socket member = relay.accept();
        final Socket seed = new Socket(InetAddress.getLoopbackAddress(), seedPort);
        final ByteArrayOutputStream words = new ByteArrayOutputStream();
        synchronized (said) {
          said.add(words);
        }
        Thread.ofVirtual().start(() -> pump(member, seed, words));
        Thread.ofVirtual().start(() -> pump(seed, member, new ByteArrayOutputStream()));
      } catch (final IOException _) {
        // Closed, or the seed is gone: the test will see it.
      }
    }
  }

  private static void pump(final Socket from, final Socket to, final ByteArrayOutputStream copy) {
    final byte[] buffer = new byte[1 << 16];
    try (from;
        to;
        InputStream in = from.getInputStream();
        OutputStream out = to.getOutputStream()) {
      for (int bytes = in.read(buffer); bytes >= 0; bytes = in.read(buffer)) {
        synchronized (copy) {
          copy.write(buffer, 0, bytes);
        }
        out.write(buffer, 0, bytes);
      }
    } catch (final IOException _) {
      // One of the two hung up.
    }
  }

  private List<byte[]> conversations() {
    synchronized (said) {
      return said.stream()
          .map(
              words -> {
                synchronized (words) {
                  return words.toByteArray();
                }
              })
          .filter(words -> words.length > 0)
          .toList();
    }
  }

  @Override
  public void close() throws IOException {
    relay.close();
  }
}
