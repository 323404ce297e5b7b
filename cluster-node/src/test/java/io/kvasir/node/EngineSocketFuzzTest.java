package io.kvasir.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.kvasir.connectors.protocol.MessageType;
import io.kvasir.connectors.protocol.Protocol;
import io.kvasir.node.config.NodeConfig;
import io.kvasir.node.local.NodeProbe;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Garbage, truncated and oversized frames, and well-formed requests with wild arguments, on the
 * engine socket of a running node. The node must stay up and keep nothing of it.
 */
class EngineSocketFuzzTest {
  private static final int FRAMES = Boolean.getBoolean("kvasir.full") ? 1_000_000 : 50_000;
  private static final int FRAMES_PER_SOCKET_MAX = 12;
  private static final int BODY_BYTES_MAX = 512;
  private static final int CHUNK_BYTES = 8 << 10;
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  private final long seed = Long.getLong("kvasir.seed", new SplittableRandom().nextLong());
  private final SplittableRandom random = new SplittableRandom(seed);
  private int frames;

  @Test
  void shouldStayUpAndKeepNothingWhenEnginesSendNonsense(@TempDir final Path runDir)
      throws Exception {
    System.out.println("seed " + seed + " (repeat with -Dkvasir.seed=" + seed + ")");
    final Path slabDir = Files.createTempDirectory(Path.of("/dev/shm"), "kvasir-fuzz-");
    try (KvasirNode node =
        KvasirNode.start(config(runDir, slabDir), cause -> fail("the node failed", cause))) {
      final Path socket = Path.of(node.info().engineSocket());
      final int filesBefore = openFiles();
      while (frames < FRAMES) {
        converse(socket);
      }
      final JsonNode stats = settledStats(socket);
      System.out.println("frames " + frames + " engines " + stats.path("engines"));
      assertEquals(0, stats.path("engines").path("internalErrors").asInt(), "internal errors");
      assertTrue(stats.path("engines").path("malformedFrames").asInt() > FRAMES / 50);
      assertEquals(0, stats.path("store").path("pinned").asInt());
      assertEquals(0, stats.path("store").path("reserved").asInt());
      assertEquals(0, stats.path("peers").path("acquiresUnfinished").asInt());
      awaitFilesClosed(filesBefore);
      node.assertValid();
      try (TestEngine engine = TestEngine.connect(socket, "after", CHUNK_BYTES)) {
        engine.store(1, 8, false);
        assertEquals(8, engine.load(1, 8).local());
      }
    } finally {
      try (Stream<Path> files = Files.walk(slabDir)) {
        for (final Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private void converse(final Path socket) throws IOException {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(socket));
      final boolean polite = random.nextInt(4) > 0;
      if (polite) {
        send(channel, json(MessageType.HELLO, hello()));
        send(channel, json(MessageType.REGISTER, register()));
      }
      final int count = 1 + random.nextInt(FRAMES_PER_SOCKET_MAX);
      for (int i = 0; i < count; i++) {
        send(channel, polite ? wildRequest() : garbage());
      }
      if (random.nextInt(8) == 0) {
        send(channel, garbage());
      }
      if (random.nextBoolean()) {
        // Read until the node has answered something, or has closed.
        channel.read(ByteBuffer.allocate(4096));
      }
    } catch (final IOException e) {
      // The node closed the socket while we were writing: that is its right.
      frames++;
    }
  }

  private void send(final SocketChannel channel, final ByteBuffer frame) throws IOException {
    frames++;
    while (frame.hasRemaining()) {
      channel.write(frame);
    }
  }

  /** A well-formed frame whose numbers are chosen to be nearly right. */
  private ByteBuffer wildRequest() {
    return switch (random.nextInt(10)) {
      case 0 -> prefix(MessageType.LOOKUP, 0);
      case 1, 2 -> prefix(MessageType.RESERVE, 0);
      case 3, 4 -> prefix(MessageType.ACQUIRE, 8);
      case 5 -> slots(MessageType.COMMIT);
      case 6 -> slots(MessageType.ABORT);
      case 7 -> frame(MessageType.RELEASE, body(8).putLong(0, random.nextInt(4_000)));
      case 8 -> frame(MessageType.PING, body(0));
      default -> mutated();
    };
  }

  private ByteBuffer prefix(final MessageType type, final int start) {
    final int count = 1 + random.nextInt(6);
    final ByteBuffer body = body(start + 48 + count * 32);
    if (start > 0) {
      body.putInt(0, 1 + random.nextInt(20)).putInt(4, 0);
    }
    // Few different chunks, so that engines meet.
    for (int i = 0; i < count; i++) {
      final byte[] hash = new byte[32];
      Arrays.fill(hash, (byte) random.nextInt(64));
      body.put(start + 48 + i * 32, hash);
      if (i == 0) {
        body.put(start + 16, hash);
      }
    }
    final int position = random.nextInt(3) == 0 ? 1 : 0;
    body.putInt(start, random.nextInt(8) == 0 ? random.nextInt(5) : 1);
    body.putInt(start + 4, random.nextInt(16) == 0 ? 1 : 0);
    body.putInt(start + 8, position);
    body.putInt(start + 12, count);
    return frame(type, body);
  }

  private ByteBuffer slots(final MessageType type) {
    final int count = 1 + random.nextInt(6);
    final ByteBuffer body = body(16 + count * 4);
    body.putInt(0, 1).putInt(4, 0).putInt(8, count).putInt(12, 0);
    for (int i = 0; i < count; i++) {
      body.putInt(16 + i * 4, random.nextInt(40));
    }
    return frame(type, body);
  }

  private ByteBuffer mutated() {
    final ByteBuffer frame =
        random.nextBoolean() ? prefix(MessageType.ACQUIRE, 8) : slots(MessageType.COMMIT);
    for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
      final int at = random.nextInt(frame.limit());
      frame.put(at, (byte) (frame.get(at) ^ (1 << random.nextInt(8))));
    }
    return frame;
  }

  private ByteBuffer garbage() {
    final byte[] bytes = new byte[1 + random.nextInt(BODY_BYTES_MAX)];
    random.nextBytes(bytes);
    final ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    if (bytes.length >= 12 && random.nextInt(3) > 0) {
      // A header that is nearly right, a length that is too large, too small or a lie.
      buffer.putInt(
          0,
          switch (random.nextInt(4)) {
            case 0 -> Protocol.LENGTH_MAX + random.nextInt(3) - 1;
            case 1 -> random.nextInt(12);
            case 2 -> -1;
            default -> bytes.length - 4;
          });
      buffer.put(4, (byte) (random.nextInt(8) == 0 ? 2 : 1));
      final MessageType[] types = MessageType.values();
      buffer.put(5, (byte) types[random.nextInt(types.length)].code());
      buffer.putShort(6, (short) (random.nextInt(8) == 0 ? random.nextInt(4) : 0));
    }
    return buffer;
  }

  private static ByteBuffer body(final int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private ByteBuffer frame(final MessageType type, final ByteBuffer body) {
    final ByteBuffer frame = body(12 + body.capacity());
    frame.putInt(8 + body.capacity()).put((byte) 1).put((byte) type.code());
    frame.putShort((short) 0).putInt(1 + random.nextInt(1 << 20)).put(body.duplicate().clear());
    return frame.flip();
  }

  private ByteBuffer json(final MessageType type, final String text) {
    final byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    return frame(type, body(utf8.length).put(0, utf8));
  }

  private String hello() {
    final String role = random.nextBoolean() ? "scheduler" : "worker";
    return """
    {"protocolMin":1,"protocolMax":1,"engine":"fuzz","engineVersion":"1","pid":%d,\
    "startTimeMillis":0,"instance":"%s","role":"%s","rank":0,"world":1}\
    """
        .formatted(ProcessHandle.current().pid(), new UUID(0, random.nextInt(3)), role);
  }

  private String register() {
    return """
    {"namespace":{"trustDomain":"default","model":"fuzz","kvDtype":"float32","layers":1,\
    "kvHeads":1,"headSize":1,"blockLayout":"x","worldSize":1,"hashScheme":"x/128"},\
    "chunkTokens":128,"chunkBytes":%d}\
    """
        .formatted(random.nextInt(16) == 0 ? random.nextInt() : CHUNK_BYTES);
  }

  /** The counters once all sockets are closed and all grace periods are over. */
  private static JsonNode settledStats(final Path socket) throws Exception {
    final long deadlineNs = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (true) {
      final JsonNode stats = MAPPER.readTree(NodeProbe.stats(socket, Duration.ofSeconds(20)));
      if (stats.path("engines").path("sessions").asInt() == 1
          && stats.path("engines").path("instances").asInt() == 1
          && stats.path("store").path("quarantined").asInt() == 0
          && stats.path("store").path("reserved").asInt() == 0
          && stats.path("peers").path("acquiresUnfinished").asInt() == 0) {
        return stats;
      }
      assertTrue(System.nanoTime() - deadlineNs < 0, "not settled: " + stats);
      Thread.sleep(20);
    }
  }

  private static void awaitFilesClosed(final int filesBefore) throws Exception {
    final long deadlineNs = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (openFiles() > filesBefore + 2) {
      assertTrue(
          System.nanoTime() - deadlineNs < 0, "files before=" + filesBefore + " " + openFiles());
      Thread.sleep(20);
    }
  }

  private static int openFiles() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
      return (int) files.count();
    }
  }

  private static NodeConfig config(final Path runDir, final Path slabDir) {
    return NodeConfig.load(
        null,
        Map.of(),
        List.of(
            "node.name=fuzz",
            "node.run-dir=" + runDir,
            "cluster.name=fuzz-test",
            "cluster.discovery-port=0",
            "cluster.communication-port=0",
            "transport.port=0",
            "store.slab-dir=" + slabDir,
            "store.slab-bytes=4MiB",
            "index.memory-bytes=64MiB"));
  }
}
