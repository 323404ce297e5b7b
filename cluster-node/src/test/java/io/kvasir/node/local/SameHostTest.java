package io.kvasir.node.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.node.TestEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Three node processes that read each other's slab, and what happens when the owner goes away. */
@Timeout(300)
class SameHostTest {
  private static final int CHUNK_BYTES = 4 << 20;
  private static final int CHUNKS = 8;
  private static final int MANY_CHUNKS = 24; // of which the copies take a while
  private static final Duration CONVERGENCE = Duration.ofMinutes(2);
  private static final int KILLS = 3;

  private static LocalCluster cluster;

  @BeforeAll
  static void start() throws IOException {
    cluster = LocalCluster.builder().nodes(3).slabBytes(256L << 20).sameHost().start();
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @BeforeEach
  void everyNodeReadsTheOthers() throws IOException {
    cluster.awaitMembers(CONVERGENCE);
    for (int node = 0; node < cluster.size(); node++) {
      await(node, stats -> stats.path("peers").path("neighbours").asInt() == 2, "two neighbours");
    }
  }

  @AfterEach
  void nothingIsLeftOver() throws IOException {
    for (int node = 0; node < cluster.size(); node++) {
      await(
          node,
          stats ->
              stats.path("store").path("pinned").asInt() == 0
                  && stats.path("store").path("reserved").asInt() == 0
                  && stats.path("peers").path("pullsRunning").asInt() == 0
                  && stats.path("peers").path("servesOpen").asInt() == 0
                  && stats.path("peers").path("acquiresUnfinished").asInt() == 0,
          "nothing pinned, reserved or running");
    }
  }

  @Test
  void shouldCopyFromTheSlabOfAnotherNodeAndCountItApart() throws Exception {
    try (TestEngine writer = engine(0, "copy");
        TestEngine reader = engine(1, "copy")) {
      final long pulled = peers(1, "bytesPulled");
      final long served = peers(0, "bytesServed");
      final long copied = peers(1, "bytesCopied");
      final long lent = peers(0, "bytesLent");
      final long sent = peers(0, "bytesSent");
      writer.store(1, CHUNKS, true);
      reader.awaitFound(1, CHUNKS);
      assertEquals(
          new TestEngine.Load(0, CHUNKS, EndReason.COMPLETE), reader.loadAll(1, CHUNKS, CHUNKS));
      assertEquals(new TestEngine.Load(CHUNKS, 0, EndReason.COMPLETE), reader.load(1, CHUNKS));
      final long bytes = (long) CHUNKS * CHUNK_BYTES;
      assertEquals(bytes, peers(1, "bytesCopied") - copied);
      assertEquals(bytes, peers(0, "bytesLent") - lent);
      assertEquals(0, peers(1, "bytesPulled") - pulled);
      assertEquals(0, peers(0, "bytesServed") - served);
      assertEquals(0, peers(0, "bytesSent") - sent);
    }
  }

  @Test
  void shouldPassACopyOnWhenTheFirstOwnerIsKilled() throws Exception {
    try (TestEngine writer = engine(0, "pass");
        TestEngine second = engine(1, "pass");
        TestEngine reader = engine(2, "pass")) {
      writer.store(1, CHUNKS, true);
      second.awaitFound(1, CHUNKS);
      assertEquals(CHUNKS, second.loadAll(1, CHUNKS, CHUNKS).peer());
      awaitIndexed(1);
      cluster.node(0).kill();
      assertEquals(CHUNKS, reader.loadAll(1, CHUNKS, CHUNKS).peer());
    }
    cluster.restart(0);
  }

  @Test
  void shouldLoadRightBytesOrMissWhenTheOwnerIsKilledInMidCopyAndRestarted() throws Exception {
    final long seed = System.nanoTime();
    final Random random = new Random(seed);
    System.out.println("seed " + seed);
    final int filesBefore = openFiles(1);
    for (int round = 0; round < KILLS; round++) {
      final int prompt = round;
      try (TestEngine writer = engine(0, "mid");
          TestEngine reader = engine(1, "mid")) {
        writer.store(prompt, MANY_CHUNKS, true);
        reader.awaitFound(prompt, MANY_CHUNKS);
        final CompletableFuture<TestEngine.Load> load =
            CompletableFuture.supplyAsync(() -> reader.load(prompt, MANY_CHUNKS));
        final long afterNs = random.nextLong(TimeUnit.MILLISECONDS.toNanos(20));
        final long startNs = System.nanoTime();
        while (System.nanoTime() - startNs < afterNs) {
          LockSupport.parkNanos(50_000);
        }
        cluster.node(0).kill();
        // TestEngine checks every byte of what it gets.
        final TestEngine.Load got = load.get(CONVERGENCE.toSeconds(), TimeUnit.SECONDS);
        System.out.println(
            "killed after us=" + TimeUnit.NANOSECONDS.toMicros(afterNs) + ": " + got);
      }
      cluster.restart(0);
      everyNodeReadsTheOthers();
      // Of the old incarnation nothing is mapped any more, and no file is open.
      await(
          1,
          stats -> stats.path("peers").path("neighboursMapped").asInt() == 2,
          "two slabs mapped");
      assertEquals(2, mappedTables(cluster.node(1).pid()));
      try (TestEngine reader = engine(1, "mid")) {
        reader.loadAll(prompt, CHUNKS, CHUNKS);
      }
    }
    assertTrue(openFiles(1) <= filesBefore + 8, "files " + filesBefore + " to " + openFiles(1));
  }

  @Test
  void shouldCopyAgainWhenTheOwnerWasStoppedAndStartedAtTheSamePlace() throws Exception {
    try (TestEngine writer = engine(0, "again")) {
      writer.store(1, CHUNKS, true);
    }
    cluster.stop(0);
    cluster.restart(0);
    everyNodeReadsTheOthers();
    try (TestEngine reader = engine(1, "again")) {
      reader.awaitFound(1, CHUNKS);
      final long copied = peers(1, "bytesCopied");
      assertEquals(CHUNKS, reader.loadAll(1, CHUNKS, CHUNKS).peer());
      assertEquals((long) CHUNKS * CHUNK_BYTES, peers(1, "bytesCopied") - copied);
    }
  }

  @Test
  void shouldGoOnWhenTheOwnerWasPausedForLongerThanItsAnswerMayTake() throws Exception {
    try (TestEngine writer = engine(0, "paused");
        TestEngine reader = engine(1, "paused")) {
      writer.store(1, CHUNKS, true);
      reader.awaitFound(1, CHUNKS);
      final long pid = cluster.node(0).pid();
      Signals.stop(pid);
      try {
        final long startNs = System.nanoTime();
        final TestEngine.Load load = reader.load(1, CHUNKS);
        final long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs);
        System.out.println("owner paused: " + load + ", ms=" + millis);
        assertEquals(0, load.chunks());
      } finally {
        Signals.resume(pid);
      }
      assertEquals(CHUNKS, reader.loadAll(1, CHUNKS, CHUNKS).peer());
    }
  }

  @Test
  void shouldDetectAFlippedByteInTheOwnersSlab() throws Exception {
    try (TestEngine writer = engine(2, "damage");
        TestEngine reader = engine(1, "damage")) {
      final long corrupt = stats(1).path("cache").path("corruptPulls").asLong();
      writer.store(1, CHUNKS, true);
      reader.awaitFound(1, CHUNKS);
      SlabDamage.flip(Path.of(cluster.node(2).info().slabDir()));
      final long deadlineNs = System.nanoTime() + CONVERGENCE.toNanos();
      do {
        assertTrue(System.nanoTime() - deadlineNs < 0, "nothing was copied");
        assertTrue(reader.load(1, CHUNKS).chunks() < CHUNKS);
      } while (stats(1).path("cache").path("corruptPulls").asLong() == corrupt);
    } finally {
      // Every chunk of this node is damaged now: the next test shall not meet them.
      cluster.node(2).kill();
      cluster.restart(2);
    }
  }

  /** Headers of other nodes' slot tables in a process: its own is mapped to write. */
  private static long mappedTables(final long pid) throws IOException {
    final List<String> maps = Files.readAllLines(Path.of("/proc/" + pid + "/maps"));
    return maps.stream()
        .filter(line -> line.contains("slots.kv") && line.contains(" r--s "))
        .count();
  }

  private static int openFiles(final int node) throws IOException {
    try (Stream<Path> files = Files.list(Path.of("/proc/" + cluster.node(node).pid() + "/fd"))) {
      return (int) files.count();
    }
  }

  private static void awaitIndexed(final int node) throws IOException {
    await(node, stats -> stats.path("index").path("queued").asInt() == 0, "all announced");
  }

  private static void await(final int node, final Predicate<JsonNode> condition, final String what)
      throws IOException {
    final long deadlineNs = System.nanoTime() + CONVERGENCE.toNanos();
    JsonNode stats = stats(node);
    while (!condition.test(stats)) {
      assertFalse(System.nanoTime() - deadlineNs > 0, "node " + node + ": " + what + " " + stats);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
      stats = stats(node);
    }
  }

  private static long peers(final int node, final String counter) throws IOException {
    return stats(node).path("peers").path(counter).asLong();
  }

  private static JsonNode stats(final int node) throws IOException {
    return cluster.node(node).stats();
  }

  private static TestEngine engine(final int node, final String model) {
    return TestEngine.connect(cluster.node(node).engineSocket(), model, CHUNK_BYTES);
  }
}
