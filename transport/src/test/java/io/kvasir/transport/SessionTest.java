package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.placement.ChunkKey;
import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
final class SessionTest {
  private static final ChunkKey KEY = Payload.key(1);
  private final Peers peers = new Peers();

  @AfterEach
  void closePeers() throws IOException {
    peers.close();
  }

  private static TestPull pull(Peers.Peer reader, long node, String endpoint) {
    PullChunk chunk = new PullChunk(KEY, 1, reader.memory(1_000), 1_000, 0, 0);
    return TestPull.of(chunk).start(reader.transport, node, endpoint);
  }

  private Peers.Peer holder(long nodeId) {
    Peers.Peer holder = peers.start(nodeId);
    holder.source.add(KEY, 7, 1_000);
    return holder;
  }

  @Test
  void shouldCloseIdleSessionsAndOpenThemAgain() throws InterruptedException {
    Peers.Peer reader = peers.start(1, b -> b.idleClose(Duration.ofMillis(200)), context -> {});
    Peers.Peer holder = holder(2);
    for (int round = 1; round <= 3; round++) {
      pull(reader, 2, holder.endpoint()).await().assertReceived(0);
      int times = round;
      Peers.await(
          () -> reader.transport.stats() + " " + holder.transport.stats(),
          () ->
              reader.transport.stats().sessionsClosed() == times
                  && holder.transport.stats().sessionsClosed() == times
                  && reader.transport.stats().images() == 0
                  && holder.transport.stats().images() == 0);
    }
    assertEquals(3, holder.transport.stats().sessionsOpened());
    assertEquals(0, reader.transport.stats().protocolErrors());
    assertEquals(0, holder.transport.stats().protocolErrors());
  }

  @Test
  void shouldRefuseAPeerOfAnotherProtocolVersion() throws InterruptedException {
    TransportConfig config = peers.config(1).build();
    Identity own = Identity.of(config, new java.security.SecureRandom());
    Identity future = new Identity(1, own.incarnation(), own.clusterHash(), 2, 3);
    Peers.Peer reader = peers.start(config, future, context -> {});
    Peers.Peer holder = holder(2);
    TestPull.Outcome outcome = pull(reader, 2, holder.endpoint()).await().outcome(0);
    assertEquals(PullFailure.UNREACHABLE, outcome.failure());
    assertEquals(0, holder.transport.stats().sessionsOpened());
    Peers.await(() -> "refusal", () -> holder.transport.stats().strangersRefused() == 1);
    Peers.await(() -> "closed", () -> reader.transport.stats().sessionsClosed() == 1);
  }

  @Test
  void shouldRefuseAPeerOfAnotherCluster() throws InterruptedException {
    TransportConfig config =
        TransportConfig.builder(1, "elsewhere", peers.directory().resolve("aeron-x")).build();
    Peers.Peer reader =
        peers.start(config, Identity.of(config, new java.security.SecureRandom()), context -> {});
    Peers.Peer holder = holder(2);
    TestPull.Outcome outcome = pull(reader, 2, holder.endpoint()).await().outcome(0);
    assertEquals(PullFailure.UNREACHABLE, outcome.failure());
    Peers.await(() -> "refusal", () -> holder.transport.stats().strangersRefused() == 1);
  }

  @Test
  void shouldNotTakeAnotherNodeForThePeer() throws InterruptedException {
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = holder(2);
    TestPull.Outcome outcome = pull(reader, 99, holder.endpoint()).await().outcome(0);
    assertEquals(PullFailure.UNREACHABLE, outcome.failure());
    assertEquals(0, holder.source.requests.get());
  }

  @Test
  void shouldFailWithinTheSilenceLimitWhenNobodyAnswers() throws Exception {
    Peers.Peer reader = peers.start(1, Peers::shortSilence, context -> {});
    try (DatagramSocket deaf =
        new DatagramSocket(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))) {
      String endpoint = "127.0.0.1:" + deaf.getLocalPort();
      long startNs = System.nanoTime();
      TestPull pull = pull(reader, 2, endpoint).await();
      long tookMs = (System.nanoTime() - startNs) / 1_000_000;
      assertEquals(PullFailure.UNREACHABLE, pull.outcome(0).failure());
      assertTrue(tookMs >= 690, "took " + tookMs + " ms");
      // The next one does not wait again.
      assertEquals(PullFailure.UNREACHABLE, pull(reader, 2, endpoint).await().outcome(0).failure());
      Peers.await(() -> "dial ends", () -> reader.transport.stats().sessionsClosed() == 1);
    }
    assertEquals(
        PullFailure.UNREACHABLE, pull(reader, 2, "host.invalid:77").await().outcome(0).failure());
  }

  @Test
  void shouldReachAPeerThatWasRestartedAtTheSameAddress() throws InterruptedException {
    Peers.Peer reader = peers.start(1);
    Peers.Peer before = holder(2);
    pull(reader, 2, before.endpoint()).await().assertReceived(0);
    int port = Integer.parseInt(before.endpoint().substring(before.endpoint().indexOf(':') + 1));
    before.close();
    Peers.Peer after = peers.start(2, b -> b.bind("127.0.0.1", port), context -> {});
    after.source.add(KEY, 8, 1_000);
    Peers.await(
        () -> "pull from the restarted peer",
        () -> {
          try {
            return pull(reader, 2, after.endpoint()).await().outcome(0).failure() == null;
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
        });
  }

  @Test
  void shouldRefuseToStartTwiceOnOnePortOrDirectory() {
    Peers.Peer first = holder(2);
    int port = Integer.parseInt(first.endpoint().substring(first.endpoint().indexOf(':') + 1));
    IllegalStateException samePort =
        assertThrows(
            IllegalStateException.class,
            () -> peers.start(3, b -> b.bind("127.0.0.1", port), context -> {}));
    assertTrue(String.valueOf(samePort.getMessage()).startsWith("KVA-0415"), samePort.getMessage());
    IllegalStateException sameDirectory =
        assertThrows(IllegalStateException.class, () -> peers.start(2));
    assertTrue(
        String.valueOf(sameDirectory.getMessage()).contains("KVA-0408"),
        sameDirectory.getMessage());
  }

  @Test
  void shouldOpenOneSessionWhenBothSidesDialAtOnce() throws InterruptedException {
    for (int round = 0; round < 3; round++) {
      Peers.Peer one = holder(2 * round + 1);
      Peers.Peer two = holder(2 * round + 2);
      TestPull there = pull(one, two.config.nodeId(), two.endpoint());
      TestPull back = pull(two, one.config.nodeId(), one.endpoint());
      there.await().assertReceived(0);
      back.await().assertReceived(0);
      assertEquals(0, one.transport.stats().sessionsClosed());
      assertEquals(0, two.transport.stats().sessionsClosed());
    }
  }
}
