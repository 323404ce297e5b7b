package io.kvasir.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.node.index.JoinRecording;
import io.kvasir.node.local.LocalCluster;
import io.kvasir.node.local.LocalNode;
import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Garbage on the three ports that a node opens to the network. The node must stay up, serve on, and
 * keep nothing of it.
 */
@Timeout(1800)
class OpenPortsFuzzTest {
  private static final boolean FULL = Boolean.getBoolean("kvasir.full");
  private static final int FRAMES = FULL ? 1_000_000 : 20_000;
  private static final int DATAGRAMS = FULL ? 1_000_000 : 50_000;
  private static final int CHECKS = 10;
  private static final int STRANGERS = 4;
  private static final int CONNECTIONS = 400;
  private static final int CONNECT_MILLIS = 30_000;
  private static final int CHUNK_BYTES = 64 << 10;
  private static final int CHUNKS = 4;
  private static final int LOG_LINES_MAX = 200;

  /** A part takes seconds; a node that stays away must not hold up the test for ever. */
  private static final Duration PART_MAX = Duration.ofMinutes(2);

  private static final long FRAME_MAX_NS = 2_000_000;
  private static final Duration SETTLE = Duration.ofSeconds(60);

  @TempDir private static Path directory;
  private static LocalCluster cluster;
  private static List<byte[]> recorded;

  private final long seed = Long.getLong("kvasir.seed", new SplittableRandom().nextLong());
  private final SplittableRandom random = new SplittableRandom(seed);
  private long prompt = random.nextLong();

  @BeforeAll
  static void start() throws IOException {
    cluster = LocalCluster.builder().nodes(2).slabBytes(16L << 20).shortLived().start();
    recorded =
        JoinRecording.of(
            "local-" + cluster.directory().getFileName(),
            target().info().discoveryPort(),
            directory);
    cluster.awaitMembers(Duration.ofSeconds(60));
    assertTrue(!recorded.isEmpty(), "something was recorded");
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @Test
  void shouldServeOnWhenStrangersSendDatagrams() throws Exception {
    final String endpoint = target().info().transportEndpoint();
    final int port = Integer.parseInt(endpoint.substring(endpoint.lastIndexOf(':') + 1));
    final AeronNoise noise = new AeronNoise(random, InetAddress.getLoopbackAddress(), port);
    try (DatagramSocket socket = new DatagramSocket()) {
      fuzz(
          "datagrams",
          DATAGRAMS,
          count -> {
            for (int i = 0; i < count; i++) {
              socket.send(noise.next());
            }
          });
    }
  }

  @Test
  void shouldServeOnWhenStrangersTalkToTheDiscoveryPort() throws Exception {
    fuzz(
        "discovery frames",
        FRAMES,
        count -> converse(target().info().discoveryPort(), true, count));
  }

  @Test
  void shouldServeOnWhenStrangersTalkToTheCommunicationPort() throws Exception {
    fuzz(
        "communication frames",
        FRAMES,
        count -> converse(target().info().communicationPort(), false, count));
  }

  @Test
  void shouldServeOnWhenStrangersHoldConnections() throws Exception {
    final List<Socket> held = new ArrayList<>();
    try {
      for (int i = 0; i < CONNECTIONS; i++) {
        held.add(connect(target().info().discoveryPort()));
        held.add(connect(target().info().communicationPort()));
      }
      assertServes();
    } finally {
      for (final Socket socket : held) {
        socket.close();
      }
    }
    cluster.awaitMembers(SETTLE);
    assertServes();
  }

  /** Connects and says the first bytes of Ignite, so that the node waits for more. */
  private static Socket connect(final int port) throws IOException {
    final Socket socket = new Socket();
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), CONNECT_MILLIS);
    try {
      socket.getOutputStream().write(IgniteNoise.header());
    } catch (final IOException _) {
      // Hung up on, which is as good.
    }
    return socket;
  }

  /** Sends about so many frames. */
  private interface Sender {
    void send(int count) throws Exception;
  }

  private void fuzz(final String what, final int count, final Sender sender) throws Exception {
    try {
      fuzzAndCompare(what, count, sender);
    } catch (final Exception | AssertionError e) {
      try (Stream<String> log = Files.lines(target().log())) {
        log.filter(line -> !line.startsWith("\t"))
            .limit(LOG_LINES_MAX)
            .forEach(System.out::println);
      }
      throw e;
    }
  }

  private void fuzzAndCompare(final String what, final int count, final Sender sender)
      throws Exception {
    System.out.println(
        "FUZZ " + what + " seed " + seed + " (repeat with -Dkvasir.seed=" + seed + ")");
    assertServes();
    final long startNs = System.nanoTime();
    // The first part warms up: classes, buffers and pools that stay.
    sender.send(count / CHECKS);
    final Footprint before = footprint();
    long slowestNs = 0;
    for (int i = 1; i < CHECKS; i++) {
      sender.send(count / CHECKS);
      final long sentNs = System.nanoTime();
      assertServes();
      slowestNs = Math.max(slowestNs, System.nanoTime() - sentNs);
    }
    final double seconds = (System.nanoTime() - startNs) / 1e9;
    final Footprint after = settled(before);
    cluster.awaitMembers(SETTLE);
    assertServes();
    System.out.printf(
        "FUZZ %,d %s in %.0f s, served again after %d ms, seed %d, rejoins %d: before %s, after"
            + " %s%n",
        count,
        what,
        seconds,
        TimeUnit.NANOSECONDS.toMillis(slowestNs),
        seed,
        target().stats().path("index").path("rejoins").asInt(),
        before,
        after);
  }

  private void converse(final int port, final boolean discovery, final int count) throws Exception {
    final AtomicInteger left = new AtomicInteger(count);
    final long untilNs = System.nanoTime() + PART_MAX.toNanos() + count * FRAME_MAX_NS;
    final List<Future<?>> strangers = new ArrayList<>();
    try (ExecutorService threads = Executors.newFixedThreadPool(STRANGERS)) {
      for (int i = 0; i < STRANGERS; i++) {
        final IgniteNoise noise = new IgniteNoise(random.split(), recorded);
        strangers.add(
            threads.submit(
                () -> {
                  while (left.get() > 0) {
                    assertTrue(
                        System.nanoTime() - untilNs < 0, "closed or never hangs up, seed " + seed);
                    left.addAndGet(
                        -noise.converse(InetAddress.getLoopbackAddress(), port, discovery));
                  }
                  return true;
                }));
      }
    }
    for (final Future<?> stranger : strangers) {
      stranger.get();
    }
  }

  /** A fresh prompt goes into the other node, through the index, and over the wire. */
  private void assertServes() throws Exception {
    assertTrue(target().isAlive(), "the node is down, log: " + target().log());
    prompt++;
    try (TestEngine writer =
            TestEngine.connect(cluster.node(1).engineSocket(), "fuzz", CHUNK_BYTES);
        TestEngine reader = TestEngine.connect(target().engineSocket(), "fuzz", CHUNK_BYTES)) {
      assertEquals(CHUNKS, writer.store(prompt, CHUNKS, true));
      final long deadlineNs = System.nanoTime() + SETTLE.toNanos();
      while (reader.lookup(prompt, CHUNKS).found() < CHUNKS) {
        assertTrue(System.nanoTime() - deadlineNs < 0, "not found, seed " + seed);
      }
      TestEngine.Load load = reader.load(prompt, CHUNKS);
      while (load.chunks() < CHUNKS) {
        assertTrue(System.nanoTime() - deadlineNs < 0, "not loaded, seed " + seed + " " + load);
        load = reader.load(prompt, CHUNKS);
      }
    }
  }

  /** The footprint once it is no larger than before. */
  private Footprint settled(final Footprint before) throws Exception {
    final long deadlineNs = System.nanoTime() + SETTLE.toNanos();
    Footprint now = footprint();
    while (!now.isWithin(before)) {
      assertTrue(
          System.nanoTime() - deadlineNs < 0, "kept, seed " + seed + ": " + before + " " + now);
      Thread.sleep(500);
      now = footprint();
    }
    return now;
  }

  private static Footprint footprint() throws Exception {
    return Footprint.of(target().pid(), Path.of(target().info().slabDir()));
  }

  private static LocalNode target() {
    return cluster.node(0);
  }
}
