package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.aeron.CommonContext;
import io.aeron.driver.MediaDriver;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.agrona.IoUtil;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A media driver in a process of its own, as {@code transport.external-driver} asks for. */
@Timeout(180)
final class ExternalDriverTest {
  private static final int LENGTH = 1 << 20;
  private final Peers peers = new Peers();
  private final Path driverDirectory = peers.directory().resolve("aeron-external");

  @AfterEach
  void closePeers() throws IOException {
    IoUtil.delete(driverDirectory.toFile(), true);
    peers.close();
  }

  private Process startDriver() throws IOException {
    Process driver =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "@" + Path.of(System.getProperty("kvasir.root", "."), "jvm.options"),
                "-Xmx128m",
                "-Daeron.dir=" + driverDirectory,
                "-Daeron.dir.delete.on.start=true",
                "-Daeron.threading.mode=SHARED",
                "-cp",
                System.getProperty("java.class.path"),
                MediaDriver.class.getName())
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    long timeoutMs = CommonContext.DEFAULT_DRIVER_TIMEOUT_MS;
    Peers.await(
        () -> "the driver runs, alive=" + driver.isAlive(),
        () ->
            CommonContext.isDriverActive(driverDirectory.toFile(), timeoutMs, line -> {})
                && driver.isAlive());
    return driver;
  }

  private Peers.Peer startExternal(long nodeId) {
    return peers.start(
        TransportConfig.builder(nodeId, Peers.CLUSTER, driverDirectory)
            .termBytes(512 * 1024)
            .windowBytes(128 * 1024)
            .externalDriver(true)
            .build());
  }

  /** A pull and how long it took to end. */
  private record Timed(TestPull pull, long millis) {
    static Timed of(Peers.Peer reader, Peers.Peer holder, MemorySegment destination) {
      LockSupport.parkNanos(5_000_000);
      PullChunk chunk = new PullChunk(Payload.key(1), 1, destination, LENGTH, 0, 0);
      long startNs = System.nanoTime();
      try {
        TestPull pull =
            TestPull.of(chunk)
                .start(reader.transport, holder.config.nodeId(), holder.endpoint())
                .await();
        return new Timed(pull, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs));
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    boolean isGood() {
      return pull.outcome(0).failure() == null;
    }
  }

  @Test
  void shouldPullThroughItAndFailSoonWhenItIsKilledAndGoOnWhenItIsBack() throws Exception {
    Process driver = startDriver();
    try {
      Peers.Peer external = startExternal(1);
      Peers.Peer embedded = peers.start(2);
      external.source.add(Payload.key(1), 7, LENGTH);
      embedded.source.add(Payload.key(1), 7, LENGTH);
      MemorySegment destination = external.memory(LENGTH);
      Timed.of(external, embedded, destination).pull().assertReceived(0);
      Timed.of(embedded, external, embedded.memory(LENGTH)).pull().assertReceived(0);

      driver.destroyForcibly().onExit().join();
      long killedNs = System.nanoTime();
      long longestMs = 0;
      while (external.transport.stats().aeronErrors() == 0) {
        Timed timed = Timed.of(external, embedded, destination);
        assertNotNull(timed.pull().outcome(0).failure());
        longestMs = Math.max(longestMs, timed.millis());
        assertTrue(System.nanoTime() - killedNs < Duration.ofSeconds(60).toNanos(), "no report");
      }
      System.out.printf(
          "driver killed: reported after %d ms, longest pull %d ms%n",
          TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - killedNs), longestMs);
      // The deadline is 60 s: a dead driver ends a pull long before.
      assertTrue(longestMs < 30_000, "longest pull " + longestMs + " ms");

      driver = startDriver();
      Peers.await(
          () -> "pulls again " + external.transport.stats(),
          Duration.ofSeconds(60),
          () -> Timed.of(external, embedded, destination).isGood());
      assertEquals(2, external.transport.stats().driverStarts());
    } finally {
      for (Peers.Peer peer : peers.all()) {
        peer.close();
      }
      driver.destroyForcibly().onExit().join();
    }
  }

  @Test
  void shouldRefuseToStartWhenNoDriverRuns() {
    IllegalStateException refused =
        assertThrows(IllegalStateException.class, () -> startExternal(1).close());
    assertTrue(String.valueOf(refused.getMessage()).contains("KVA-0418"), refused::toString);
  }
}
