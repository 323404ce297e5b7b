package io.kvasir.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.kvasir.connectors.protocol.ErrorBody;
import io.kvasir.connectors.protocol.ErrorCode;
import io.kvasir.connectors.protocol.Frame;
import io.kvasir.connectors.protocol.FrameReader;
import io.kvasir.connectors.protocol.MessageType;
import io.kvasir.connectors.protocol.Side;
import io.kvasir.node.config.NodeConfig;
import io.kvasir.node.local.NodeProbe;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.agrona.concurrent.NanoClock;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Engines that are someone else's, do not read, or say nothing any more. */
@Timeout(120)
class EngineSocketTest {
  private static final int CHUNK_BYTES = 64 << 10;
  private static final int NOBODY = 65_534;
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  /** The machine's clock, put forward by the tests. */
  private static final class PutForward implements NanoClock {
    private final AtomicLong aheadNs = new AtomicLong();

    @Override
    public long nanoTime() {
      return System.nanoTime() + aheadNs.get();
    }

    void by(final Duration duration) throws Exception {
      aheadNs.addAndGet(duration.toNanos());
      node.assertValid(); // a task, so that the agent looks at its clock
    }
  }

  private static final PutForward CLOCK = new PutForward();
  private static Path directory;
  private static KvasirNode node;

  @BeforeAll
  static void start() throws IOException {
    // Not a @TempDir: another user has to see the socket.
    directory = Files.createTempDirectory(Path.of("/dev/shm"), "kvasir-socket-");
    node =
        KvasirNode.start(
            NodeConfig.load(
                null,
                Map.of(),
                List.of(
                    "node.name=socket",
                    "node.run-dir=" + directory.resolve("run"),
                    "cluster.name=engine-socket-test",
                    "cluster.discovery-port=0",
                    "cluster.communication-port=0",
                    "transport.port=0",
                    "store.slab-dir=" + directory.resolve("slab"),
                    "store.slab-bytes=16MiB",
                    "index.memory-bytes=64MiB")),
            cause -> fail("the node failed", cause),
            CLOCK);
  }

  @AfterAll
  static void stop() throws IOException {
    node.close();
    try (Stream<Path> files = Files.walk(directory)) {
      for (final Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
        Files.delete(file);
      }
    }
  }

  private static Path socket() {
    return Path.of(node.info().engineSocket());
  }

  private static JsonNode engines() throws IOException {
    return MAPPER.readTree(NodeProbe.stats(socket(), Duration.ofSeconds(10))).path("engines");
  }

  @Test
  void shouldRefuseAnEngineWhenItRunsAsAnotherUser() throws Exception {
    assumeTrue(
        Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid")),
        "only root can run a process as another user");
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/setpriv")), "no setpriv (util-linux) here");
    final String name = PeerCredentialsProbe.class.getName();
    final Path classes = Files.createDirectories(directory.resolve("probe/io/kvasir/node"));
    try (InputStream bytes =
        PeerCredentialsProbe.class.getResourceAsStream("PeerCredentialsProbe.class")) {
      assertNotNull(bytes);
      Files.copy(bytes, classes.resolve("PeerCredentialsProbe.class"));
    }
    // What guards the socket first is its mode; the check behind it must hold without.
    try (Stream<Path> parts = Files.walk(directory.resolve("probe"))) {
      for (final Path part : parts.toList()) {
        Files.setPosixFilePermissions(part, PosixFilePermissions.fromString("rwxr-xr-x"));
      }
    }
    for (final Path folder : List.of(directory, directory.resolve("run"))) {
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
    Files.setPosixFilePermissions(socket(), PosixFilePermissions.fromString("rw-rw-rw-"));
    final int refusedBefore = engines().path("sessionsRefused").asInt();
    final Process probe =
        new ProcessBuilder(
                "/usr/bin/setpriv",
                "--reuid=" + NOBODY,
                "--regid=" + NOBODY,
                "--clear-groups",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                directory.resolve("probe").toString(),
                name,
                socket().toString())
            .redirectErrorStream(true)
            .start();
    final String said =
        new String(probe.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertEquals(0, probe.waitFor(), said);
    final FrameReader reader = new FrameReader(Side.NODE);
    reader.readFrom(Channels.newChannel(new ByteArrayInputStream(HexFormat.of().parseHex(said))));
    final Frame frame = reader.next();
    assertNotNull(frame);
    assertEquals(ErrorCode.FORBIDDEN.code(), new ErrorBody().wrap(frame).code());
    assertNull(reader.next(), "and nothing more");
    assertEquals(refusedBefore + 1, engines().path("sessionsRefused").asInt());
  }

  @Test
  void shouldCloseAnEngineWhenItDoesNotReadAndServeTheOthers() throws Exception {
    final int slowBefore = engines().path("slowReaders").asInt();
    final long heapBefore = liveHeapBytes();
    try (RawEngine deaf = new RawEngine(socket());
        TestEngine other = TestEngine.connect(socket(), "reads", CHUNK_BYTES)) {
      int asked = 0;
      long longestNs = 0;
      int prompt = 0;
      try {
        while (true) {
          deaf.ask(MessageType.STATS, ++asked);
          if (asked % 500 == 0) {
            final long startNs = System.nanoTime();
            assertEquals(2, other.store(++prompt, 2, false));
            assertEquals(2, other.load(prompt, 2).local());
            longestNs = Math.max(longestNs, System.nanoTime() - startNs);
          }
        }
      } catch (final IOException e) {
        // Hung up on, as it should be.
      }
      final long grown = liveHeapBytes() - heapBefore;
      System.out.printf(
          "deaf engine: closed after %,d questions, the other's longest turn %d ms, heap %+d KiB%n",
          asked, TimeUnit.NANOSECONDS.toMillis(longestNs), grown >> 10);
      assertTrue(longestNs < TimeUnit.SECONDS.toNanos(10), "the other was held up");
      assertEquals(slowBefore + 1, engines().path("slowReaders").asInt());
      assertTrue(grown < 32 << 20, "bytes kept: " + grown);
      assertEquals(1, other.store(++prompt, 1, false));
    }
  }

  private static long liveHeapBytes() {
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }

  @Test
  void shouldAskASilentEngineAndCloseItWhenItDoesNotAnswer() throws Exception {
    final int silentBefore = engines().path("silentSockets").asInt();
    try (RawEngine silent = new RawEngine(socket());
        RawEngine answers = new RawEngine(socket());
        TestEngine client = TestEngine.connect(socket(), "silence", CHUNK_BYTES)) {
      client.store(1, 1, false);
      CLOCK.by(Duration.ofSeconds(11));
      assertEquals(MessageType.PING, silent.next());
      assertEquals(MessageType.PING, answers.next());
      answers.ask(MessageType.PONG, 1);
      answers.ask(MessageType.STATS, 2);
      assertEquals(MessageType.STATS_OK, answers.next(), "heard");
      assertEquals(1, client.load(1, 1).local());
      CLOCK.by(Duration.ofSeconds(21));
      assertNull(silent.next(), "hung up on");
      assertEquals(MessageType.PING, answers.next(), "asked again");
      assertEquals(1, client.load(1, 1).local());
      assertEquals(silentBefore + 1, engines().path("silentSockets").asInt());
    }
  }

  @Test
  void shouldCloseASocketWhenItNeverSaysHello() throws Exception {
    try (SocketChannel mute = SocketChannel.open(UnixDomainSocketAddress.of(socket()))) {
      engines(); // it has been accepted: sockets are, in order
      CLOCK.by(Duration.ofSeconds(6));
      assertEquals(-1, mute.read(ByteBuffer.allocate(16)));
    }
  }
}
