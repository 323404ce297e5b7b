package io.kvasir.node.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.kvasir.connectors.client.LookupResult;
import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.node.TestEngine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Three node processes: chunks go round, and what happens when nodes and bytes go bad. */
class ThreeNodesTest {
  private static final int CHUNK_BYTES = 256 << 10;
  private static final int CHUNKS = 12;
  private static final Duration CONVERGENCE = Duration.ofMinutes(2);

  private static LocalCluster cluster;

  @BeforeAll
  static void start() throws IOException {
    cluster = LocalCluster.builder().nodes(3).slabBytes(32L << 20).start();
  }

  @AfterAll
  static void stop() {
    final Path directory = cluster.directory();
    cluster.close();
    for (int i = 0; i < cluster.size(); i++) {
      assertFalse(cluster.node(i).isAlive());
    }
    assertFalse(Files.exists(directory));
  }

  @BeforeEach
  void everyNodeSeesAll() throws IOException {
    cluster.awaitMembers(Duration.ofSeconds(60));
  }

  @Test
  void shouldShareChunksByPullWhenAnotherNodeHasThem() throws Exception {
    try (TestEngine writer = engine(0, "share");
        TestEngine reader = engine(1, "share");
        TestEngine third = engine(2, "share")) {
      final long corruptBefore = stats(1).path("cache").path("corruptions").asLong();
      final long pulledBefore = bytesPulled(1);
      writer.store(1, CHUNKS, true);
      reader.awaitFound(1, CHUNKS);
      final LookupResult found = reader.lookup(1, CHUNKS + 3);
      assertEquals(CHUNKS, found.found());
      assertEquals(0, found.local());
      assertEquals((long) CHUNKS * CHUNK_BYTES, found.peerBytes());
      assertEquals(
          new TestEngine.Load(0, CHUNKS, EndReason.MISSING), reader.loadAll(1, CHUNKS, CHUNKS + 3));
      assertEquals(new TestEngine.Load(CHUNKS, 0, EndReason.COMPLETE), reader.load(1, CHUNKS));
      // Nothing is to be pulled now; of the next prompt there is, from a peer that has delivered.
      assertEquals(0, reader.lookup(1, CHUNKS).estimateUs());
      writer.store(2, CHUNKS, true);
      reader.awaitFound(2, CHUNKS);
      assertTrue(reader.lookup(2, CHUNKS).estimateUs() > 0);
      // A local head, a remote tail.
      third.store(1, 4, true);
      third.awaitFound(1, CHUNKS);
      assertEquals(
          new TestEngine.Load(4, CHUNKS - 4, EndReason.COMPLETE), third.loadAll(1, CHUNKS, CHUNKS));
      assertEquals(corruptBefore, stats(1).path("cache").path("corruptions").asLong());
      assertEquals((long) CHUNKS * CHUNK_BYTES, bytesPulled(1) - pulledBefore);
    }
  }

  @Test
  void shouldPullOnceWhenTwoEnginesWantTheSameChunks() throws Exception {
    final int prompts = 5;
    final long pulledBefore = bytesPulled(1);
    try (TestEngine writer = engine(0, "once");
        TestEngine one = engine(1, "once");
        TestEngine other = engine(1, "once")) {
      for (int i = 0; i < prompts; i++) {
        final int prompt = i;
        writer.store(prompt, CHUNKS, true);
        one.awaitFound(prompt, CHUNKS);
        final CompletableFuture<TestEngine.Load> first =
            CompletableFuture.supplyAsync(() -> one.loadAll(prompt, CHUNKS, CHUNKS));
        other.loadAll(prompt, CHUNKS, CHUNKS);
        first.get(CONVERGENCE.toSeconds(), TimeUnit.SECONDS);
      }
    }
    assertEquals((long) prompts * CHUNKS * CHUNK_BYTES, bytesPulled(1) - pulledBefore);
  }

  @Test
  void shouldFailOverWhenAHolderIsKilled() throws Exception {
    try (TestEngine writer = engine(0, "kill");
        TestEngine second = engine(1, "kill");
        TestEngine reader = engine(2, "kill")) {
      writer.store(1, CHUNKS, true);
      writer.store(2, CHUNKS, true);
      second.awaitFound(1, CHUNKS);
      assertEquals(CHUNKS, second.loadAll(1, CHUNKS, CHUNKS).peer());
      awaitIndexed(1);
      reader.awaitFound(1, CHUNKS);
      reader.awaitFound(2, CHUNKS);
      cluster.node(0).kill();
      for (final int prompt : new int[] {1, 2, 1}) {
        final long startNs = System.nanoTime();
        final TestEngine.Load load = reader.load(prompt, CHUNKS);
        final long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs);
        System.out.println("prompt " + prompt + " after the kill: " + load + ", ms=" + millis);
        assertTrue(prompt == 1 || load.chunks() == 0, load.toString());
      }
      reader.loadAll(1, CHUNKS, CHUNKS);
      // The others go on without it.
      reader.store(3, CHUNKS, true);
      second.awaitFound(3, CHUNKS);
      assertEquals(CHUNKS, second.loadAll(3, CHUNKS, CHUNKS).peer());
    }
    cluster.restart(0);
    cluster.awaitMembers(Duration.ofSeconds(60));
    try (TestEngine writer = engine(0, "kill");
        TestEngine reader = engine(2, "kill")) {
      assertEquals(CHUNKS, writer.load(2, CHUNKS).local());
      reader.awaitFound(2, CHUNKS);
      assertEquals(CHUNKS, reader.loadAll(2, CHUNKS, CHUNKS).peer());
    }
  }

  @Test
  void shouldRejoinWithItsChunksWhenANodeWasStoppedUntilTheOthersDroppedIt() throws Exception {
    // The youngest: the oldest member keeps Ignite's ring to itself and does not notice.
    cluster.stop(2);
    cluster.restart(2);
    cluster.awaitMembers(CONVERGENCE);
    try (TestEngine writer = engine(2, "stopped");
        TestEngine reader = engine(0, "stopped")) {
      writer.store(1, CHUNKS, true);
      reader.awaitFound(1, CHUNKS);
    }
    final long pid = cluster.node(2).pid();
    Signals.stop(pid);
    try {
      awaitMembers(0, 2);
      awaitMembers(1, 2);
    } finally {
      Signals.resume(pid);
    }
    cluster.awaitMembers(Duration.ofMinutes(2));
    try (TestEngine writer = engine(2, "stopped");
        TestEngine reader = engine(0, "stopped")) {
      assertEquals(CHUNKS, writer.load(1, CHUNKS).local());
      reader.awaitFound(1, CHUNKS);
      assertEquals(CHUNKS, reader.loadAll(1, CHUNKS, CHUNKS).peer());
    }
    assertTrue(cluster.node(2).isAlive());
  }

  private static void awaitMembers(final int node, final int count) throws Exception {
    final long deadlineNs = System.nanoTime() + 3 * CONVERGENCE.toNanos();
    while (stats(node).path("members").size() != count) {
      assertTrue(System.nanoTime() - deadlineNs < 0, "members of node " + node);
      Thread.sleep(50);
    }
  }

  @Test
  void shouldRepairTheIndexWhenAHolderHasLostItsChunks() throws Exception {
    try (TestEngine writer = engine(0, "lost");
        TestEngine reader = engine(1, "lost")) {
      writer.store(1, CHUNKS, true);
      reader.awaitFound(1, CHUNKS);
    }
    // Its slab is gone; its entries stay in the index and name a node that is there.
    cluster.node(0).kill();
    try (Stream<Path> files = Files.list(Path.of(cluster.node(0).info().slabDir()))) {
      for (final Path file : files.filter(Files::isRegularFile).toList()) {
        Files.delete(file);
      }
    }
    cluster.restart(0);
    cluster.awaitMembers(Duration.ofSeconds(60));
    try (TestEngine reader = engine(1, "lost")) {
      awaitNotFound(reader, 1);
    }
  }

  @Test
  void shouldNeverReturnAFlippedByteWhenAHoldersSlabIsDamaged() throws Exception {
    try (TestEngine writer = engine(0, "damage");
        TestEngine reader = engine(1, "damage")) {
      final long corruptBefore = stats(1).path("cache").path("corruptPulls").asLong();
      writer.store(1, CHUNKS, true);
      reader.awaitFound(1, CHUNKS);
      SlabDamage.flip(Path.of(cluster.node(0).info().slabDir()));
      // TestEngine checks every byte of what it gets.
      final long deadlineNs = System.nanoTime() + CONVERGENCE.toNanos();
      do {
        assertTrue(System.nanoTime() - deadlineNs < 0, "nothing was pulled");
        final TestEngine.Load load = reader.load(1, CHUNKS);
        assertTrue(load.chunks() < CHUNKS, load.toString());
      } while (stats(1).path("cache").path("corruptPulls").asLong() == corruptBefore);
      awaitNotFound(reader, 1);
    } finally {
      // Every chunk of this node is damaged now: the next test shall not meet them.
      cluster.node(0).kill();
      cluster.restart(0);
    }
  }

  /** A load finds out that the index is wrong, and repairs it. */
  private static void awaitNotFound(final TestEngine engine, final long prompt) throws Exception {
    final long deadlineNs = System.nanoTime() + CONVERGENCE.toNanos();
    while (engine.lookup(prompt, CHUNKS).found() == CHUNKS) {
      assertTrue(System.nanoTime() - deadlineNs < 0, "still found");
      assertEquals(0, engine.load(prompt, CHUNKS).chunks());
      Thread.sleep(10);
    }
  }

  /** Waits until all that a node has is announced. */
  private static void awaitIndexed(final int node) throws Exception {
    final long deadlineNs = System.nanoTime() + CONVERGENCE.toNanos();
    while (stats(node).path("index").path("queued").asInt() > 0) {
      assertTrue(System.nanoTime() - deadlineNs < 0, "not announced in time");
      Thread.sleep(10);
    }
  }

  private static long bytesPulled(final int node) throws IOException {
    return stats(node).path("peers").path("bytesPulled").asLong();
  }

  private static JsonNode stats(final int node) throws IOException {
    return cluster.node(node).stats();
  }

  private static TestEngine engine(final int node, final String model) {
    return TestEngine.connect(cluster.node(node).engineSocket(), model, CHUNK_BYTES);
  }
}
