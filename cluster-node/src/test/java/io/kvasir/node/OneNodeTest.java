package io.kvasir.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.kvasir.connectors.client.Acquisition;
import io.kvasir.connectors.client.KvasirProtocolException;
import io.kvasir.connectors.client.LoadedChunk;
import io.kvasir.connectors.client.LookupResult;
import io.kvasir.connectors.client.Reservation;
import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.connectors.protocol.ErrorCode;
import io.kvasir.connectors.protocol.ReserveStatus;
import io.kvasir.node.config.NodeConfig;
import io.kvasir.node.local.NodeProbe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One node in this JVM, with the Java client. Each test uses prompts and models of its own. */
class OneNodeTest {
  private static final int CHUNK_BYTES = 64 << 10;
  private static final long SLAB_BYTES = 16L << 20;
  private static final int SLAB_CHUNKS = (int) (SLAB_BYTES / CHUNK_BYTES);
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  @TempDir private static Path runDir;
  private static Path slabDir;
  private static KvasirNode node;

  @BeforeAll
  static void start() throws IOException {
    slabDir = Files.createTempDirectory(Path.of("/dev/shm"), "kvasir-test-");
    node = start(config("one", runDir, slabDir));
  }

  @AfterAll
  static void stop() throws IOException {
    node.close();
    try (Stream<Path> files = Files.walk(slabDir)) {
      for (final Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
        Files.delete(file);
      }
    }
    assertFalse(Files.exists(runDir.resolve("engine.sock")));
    assertFalse(Files.exists(runDir.resolve(NodeInfo.FILE_NAME)));
  }

  @AfterEach
  void everyEngineIsGoneAndTheStoreIsValid() throws Exception {
    awaitStats(stats -> stats.path("engines").path("sessions").asInt() == 1, "one session: ours");
    assertEquals(0, stats().path("store").path("pinned").asInt());
    assertEquals(0, stats().path("peers").path("acquiresUnfinished").asInt());
    node.assertValid();
  }

  @Test
  void shouldLoadWhatWasStored() {
    try (TestEngine engine = engine("load")) {
      assertEquals(0, engine.lookup(1, 8).found());
      assertEquals(8, engine.store(1, 8, true));
      final LookupResult found = engine.lookup(1, 12);
      assertEquals(8, found.found());
      assertEquals(8, found.local());
      assertEquals(8L * CHUNK_BYTES, found.foundBytes());
      assertEquals(0, found.peerBytes());
      assertEquals(new TestEngine.Load(8, 0, EndReason.MISSING), engine.load(1, 12));
      assertEquals(new TestEngine.Load(8, 0, EndReason.COMPLETE), engine.load(1, 8));
      assertEquals(new TestEngine.Load(0, 0, EndReason.MISSING), engine.load(2, 1));
    }
  }

  @Test
  void shouldStoreAChunkOnceWhenTwoEnginesComputeIt() {
    try (TestEngine one = engine("twice");
        TestEngine other = engine("twice")) {
      final Reservation[] places = one.reserve(1, 2);
      assertTrue(places[0].isReserved());
      assertEquals(ReserveStatus.BUSY, other.reserve(1, 2)[0].status());
      one.client().abort(one.space(), new int[] {places[0].slot(), places[1].slot()});
      assertEquals(2, other.store(1, 2, false));
      assertEquals(ReserveStatus.ALREADY, one.reserve(1, 2)[0].status());
      assertEquals(2, one.load(1, 2).local());
    }
  }

  @Test
  void shouldNotReachChunksWhenNamespaceOrLayoutDiffers() {
    try (TestEngine one = engine("mine")) {
      one.store(1, 4, false);
      try (TestEngine other = engine("theirs")) {
        assertEquals(0, other.lookup(1, 4).found());
        assertEquals(0, other.load(1, 4).chunks());
      }
      final KvasirProtocolException refused =
          assertThrows(
              KvasirProtocolException.class,
              () ->
                  TestEngine.connect(Path.of(node.info().engineSocket()), "mine", CHUNK_BYTES / 2));
      assertEquals(ErrorCode.LAYOUT_MISMATCH, refused.errorCode());
    }
  }

  @Test
  void shouldRefuseWhenAChunkIsLargerThanAnEngineMayHold() {
    final KvasirProtocolException refused =
        assertThrows(
            KvasirProtocolException.class,
            () ->
                TestEngine.connect(
                    Path.of(node.info().engineSocket()), "large", (int) (2 * SLAB_BYTES)));
    assertEquals(ErrorCode.CHUNK_TOO_LARGE, refused.errorCode());
  }

  @Test
  void shouldFreeReservationsAfterGraceWhenEngineDiesBeforeCommit() throws Exception {
    final long diedNs;
    try (TestEngine engine = engine("dies")) {
      assertTrue(engine.reserve(1, 4)[3].isReserved());
      assertEquals(4, stats().path("store").path("reserved").asInt());
      diedNs = System.nanoTime();
    }
    try (TestEngine next = engine("dies")) {
      assertEquals(0, next.lookup(1, 4).found());
      awaitStats(
          stats ->
              stats.path("store").path("reserved").asInt() == 0
                  && stats.path("store").path("quarantined").asInt() == 0,
          "the grace period is over");
      // Half of it, for the node's clock goes in steps.
      final long graceNs = KvasirNode.QUARANTINE_GRACE.toNanos();
      assertTrue(System.nanoTime() - diedNs >= graceNs / 2, "no grace period");
      assertEquals(4, next.store(1, 4, false));
    }
  }

  @Test
  void shouldDropPinsWhenEngineDiesBeforeRelease() throws Exception {
    try (TestEngine engine = engine("pins")) {
      engine.store(1, 4, false);
      final Acquisition acquisition = engine.acquire(1, 4);
      while (acquisition.next() != null) {
        // Until all are pinned.
      }
      assertEquals(4, stats().path("store").path("pinned").asInt());
    }
    awaitStats(stats -> stats.path("store").path("pinned").asInt() == 0, "pins fall");
  }

  @Test
  void shouldKeepWithinShareWhenTwoEnginesWantSixtyPercentEach() {
    final int want = SLAB_CHUNKS * 6 / 10;
    final int share = SLAB_CHUNKS / 2;
    try (TestEngine one = engine("sixty");
        TestEngine other = engine("sixty")) {
      store(one, 1, want);
      final int stored = one.lookup(1, want).found();
      final Acquisition first = one.acquire(1, want);
      final Acquisition second = other.acquire(1, want);
      final int firstReady = count(first);
      final int secondReady = count(second);
      assertEquals(share, Math.max(firstReady, Math.min(stored, share)));
      assertTrue(firstReady <= share, "ready=" + firstReady);
      assertEquals(firstReady, secondReady);
      assertEquals(EndReason.NO_SPACE, first.endReason());
      // Both engines are at their share: neither can reserve, both still release and go on.
      assertEquals(ReserveStatus.OVER_SHARE, one.reserve(2, 1)[0].status());
      assertTrue(one.client().release(first));
      assertTrue(other.client().release(second));
      assertEquals(1, one.store(2, 1, false));
    }
  }

  @Test
  void shouldEvictWhenSlabIsFull() {
    try (TestEngine engine = engine("evict")) {
      for (int prompt = 0; prompt < 3 * SLAB_CHUNKS / 8; prompt++) {
        assertEquals(8, engine.store(prompt, 8, false));
      }
      assertEquals(8, engine.load(3 * SLAB_CHUNKS / 8 - 1, 8).local());
    }
  }

  @Test
  void shouldRefuseCommitWhenSlotIsNotReserved() {
    try (TestEngine engine = engine("foreign");
        TestEngine other = engine("foreign")) {
      final int slot = engine.reserve(1, 1)[0].slot();
      assertEquals(
          "[NOT_RESERVED, NOT_RESERVED]",
          Arrays.stream(other.client().commit(other.space(), new int[] {slot, 1 << 30}, false))
              .map(result -> result.status().name())
              .toList()
              .toString());
      engine.client().abort(engine.space(), new int[] {slot});
    }
  }

  @Test
  void shouldEndEmptyWhenDeadlineIsShortAndNothingIsThere() {
    try (TestEngine engine = engine("short")) {
      final Acquisition acquisition = engine.acquire(9, 3, Duration.ofSeconds(1));
      assertEquals(0, count(acquisition));
      assertTrue(engine.client().release(acquisition));
    }
  }

  @Test
  void shouldRefuseASecondNodeOnTheSameRunDirectory() {
    final RuntimeException refused =
        assertThrows(RuntimeException.class, () -> start(config("two", runDir, slabDir)));
    assertTrue(refused.toString().contains("KVA-0202"), refused.toString());
  }

  @Test
  void shouldRefuseASecondNodeOnTheSamePorts(@TempDir final Path otherRun) throws IOException {
    final Path otherSlab = Files.createDirectory(slabDir.resolve("other"));
    final NodeConfig config =
        NodeConfig.load(
            null,
            Map.of(),
            settings(
                "two",
                otherRun,
                otherSlab,
                node.info().discoveryPort(),
                node.info().communicationPort()));
    final RuntimeException refused = assertThrows(RuntimeException.class, () -> start(config));
    assertTrue(refused.toString().contains("KVA-03"), refused.toString());
    assertFalse(Files.exists(otherRun.resolve("engine.sock")));
  }

  private static void store(final TestEngine engine, final long prompt, final int chunks) {
    for (int count = 8; count <= chunks; count += 8) {
      engine.store(prompt, count, false);
    }
    engine.store(prompt, chunks, false);
  }

  private static int count(final Acquisition acquisition) {
    int ready = 0;
    for (LoadedChunk chunk = acquisition.next(); chunk != null; chunk = acquisition.next()) {
      ready++;
    }
    return ready;
  }

  private static TestEngine engine(final String model) {
    return TestEngine.connect(Path.of(node.info().engineSocket()), model, CHUNK_BYTES);
  }

  private static JsonNode stats() throws IOException {
    return MAPPER.readTree(
        NodeProbe.stats(Path.of(node.info().engineSocket()), Duration.ofSeconds(5)));
  }

  private static void awaitStats(final Predicate<JsonNode> condition, final String what)
      throws Exception {
    final long deadlineNs = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    JsonNode stats = stats();
    while (!condition.test(stats)) {
      assertTrue(System.nanoTime() - deadlineNs < 0, "in vain: " + what + " " + stats);
      Thread.sleep(10);
      stats = stats();
    }
  }

  private static KvasirNode start(final NodeConfig config) {
    return KvasirNode.start(config, cause -> fail("the node failed", cause));
  }

  private static NodeConfig config(final String name, final Path run, final Path slab) {
    return NodeConfig.load(null, Map.of(), settings(name, run, slab, 0, 0));
  }

  private static List<String> settings(
      final String name,
      final Path run,
      final Path slab,
      final int discoveryPort,
      final int communicationPort) {
    return new ArrayList<>(
        List.of(
            "node.name=" + name,
            "node.run-dir=" + run,
            "cluster.name=one-node-test",
            "cluster.discovery-port=" + discoveryPort,
            "cluster.communication-port=" + communicationPort,
            "transport.port=0",
            "store.slab-dir=" + slab,
            "store.slab-bytes=" + SLAB_BYTES,
            "index.memory-bytes=64MiB"));
  }
}
