package io.kvasir.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.kvasir.connectors.client.Acquisition;
import io.kvasir.connectors.client.KvasirProtocolException;
import io.kvasir.connectors.client.Reservation;
import io.kvasir.connectors.client.SliceResults;
import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.connectors.protocol.ErrorCode;
import io.kvasir.connectors.protocol.SliceStatus;
import io.kvasir.node.config.NodeConfig;
import io.kvasir.node.local.NodeProbe;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two nodes: engines beside the first one prefill for engines beside the second one. */
@Timeout(120)
class HandoffTest {
  private static final int CHUNK_BYTES = 64 << 10;
  private static final int SLICE_BYTES = 20_000;
  private static final int SLICES = 4;
  private static final long SLAB_BYTES = 16L << 20;
  private static final int SHARE_CHUNKS = (int) (SLAB_BYTES / CHUNK_BYTES / 2);
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final Random RANDOM = new Random();

  @TempDir private static Path runs;
  private static Path slabs;
  private static final List<KvasirNode> NODES = new ArrayList<>();
  private static long receiver;

  private final long id = RANDOM.nextLong();

  @BeforeAll
  static void start() throws Exception {
    slabs = Files.createTempDirectory(Path.of("/dev/shm"), "kvasir-test-");
    final int first = freePort();
    NODES.add(start("prefill", first, first));
    NODES.add(start("decode", freePort(), first));
    receiver = Long.parseUnsignedLong(NODES.get(1).info().nodeId(), 16);
    await(0, stats -> stats.path("members").size() == 2, "the other member");
    await(1, stats -> stats.path("members").size() == 2, "the other member");
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private static KvasirNode start(final String name, final int port, final int seed)
      throws IOException {
    final Path run = Files.createDirectories(runs.resolve(name));
    return KvasirNode.start(
        NodeConfig.load(
            null,
            Map.of(),
            List.of(
                "node.name=" + name,
                "node.run-dir=" + run,
                "cluster.name=handoff-test",
                "cluster.discovery-port=" + port,
                "cluster.communication-port=0",
                "cluster.seeds=127.0.0.1:" + seed,
                "transport.port=0",
                "store.slab-dir=" + slabs.resolve(name),
                "store.slab-bytes=" + SLAB_BYTES,
                "index.memory-bytes=64MiB")),
        cause -> fail("the node failed", cause));
  }

  @AfterAll
  static void stop() throws IOException {
    NODES.reversed().forEach(KvasirNode::close);
    try (Stream<Path> files = Files.walk(slabs)) {
      for (final Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
        Files.delete(file);
      }
    }
  }

  /** Whatever went wrong before: no slot, pin or hand-off is left, and the store is valid. */
  @AfterEach
  void nothingIsLeft() throws Exception {
    for (int i = 0; i < NODES.size(); i++) {
      await(i, stats -> stats.path("engines").path("sessions").asInt() == 1, "engines to leave");
      await(i, stats -> stats.path("store").path("reserved").asInt() == 0, "no reservation");
      await(i, stats -> stats.path("store").path("quarantined").asInt() == 0, "no quarantine");
      await(i, stats -> stats.path("store").path("pinned").asInt() == 0, "no pin");
      await(i, stats -> open(stats) == 0, "no open hand-off");
      NODES.get(i).assertValid();
    }
  }

  private static int open(final JsonNode stats) {
    return stats.path("handoffs").path("outboundOpen").asInt()
        + stats.path("handoffs").path("inboundOpen").asInt()
        + stats.path("peers").path("acquiresUnfinished").asInt()
        + stats.path("peers").path("servesOpen").asInt();
  }

  @Test
  void shouldGiveLeadingChunksWhenTheRestIsStillComputed() throws Exception {
    try (TestEngine prefill = engine(0, "early");
        TestEngine decode = engine(1, "early")) {
      assertEquals(1, create(prefill, 6, LONG));
      final Reservation[] places = prefill.reserve(1, 6);
      final CompletableFuture<Acquisition> awaited =
          CompletableFuture.supplyAsync(() -> decode.await(id, 1, 6, LONG));
      commit(prefill, places, 0, 3);
      final Acquisition acquisition = awaited.get(60, TimeUnit.SECONDS);
      assertEquals(6, acquisition.chunks());
      for (int i = 0; i < 3; i++) {
        assertNotNull(acquisition.next());
      }
      commit(prefill, places, 3, 6);
      // Checks the bytes of the last three; those of all come below.
      for (int i = 3; i < 6; i++) {
        assertNotNull(acquisition.next());
      }
      assertEquals(null, acquisition.next());
      assertEquals(EndReason.COMPLETE, acquisition.endReason());
      assertTrue(decode.client().release(acquisition));
      assertEquals(new TestEngine.Load(6, 0, EndReason.COMPLETE), decode.load(1, 6));
      assertEquals(new TestEngine.Load(6, 0, EndReason.COMPLETE), prefill.load(1, 6));
    }
  }

  @Test
  void shouldGiveEveryByteWhenSlicesComeInAnyOrder() throws Exception {
    final long seed = System.nanoTime();
    final int chunks = 40;
    try (TestEngine prefill = engine(0, "order");
        TestEngine decode = engine(1, "order")) {
      final CompletableFuture<TestEngine.Load> load =
          CompletableFuture.supplyAsync(() -> decode.take(1, decode.await(id, 1, chunks, LONG)));
      create(prefill, chunks, LONG);
      final Reservation[] places = prefill.reserve(1, chunks);
      final List<Integer> order = new ArrayList<>();
      for (int i = 0; i < chunks * SLICES; i++) {
        order.add(i);
      }
      Collections.shuffle(order, new Random(seed));
      for (final int each : order) {
        assertCommitted(prefill.handOff(id, SLICE_BYTES, 1, places, each / SLICES, each % SLICES));
      }
      final TestEngine.Load loaded = load.get(60, TimeUnit.SECONDS);
      assertEquals(chunks, loaded.chunks(), () -> "seed=" + seed + " " + loaded);
      assertEquals(EndReason.COMPLETE, loaded.reason());
    }
  }

  @Test
  void shouldSendWhatIsThereAndSkipWhatTheReceiverHas() throws Exception {
    try (TestEngine prefill = engine(0, "there");
        TestEngine decode = engine(1, "there")) {
      prefill.store(1, 4, false);
      decode.store(1, 2, false);
      final long before = received();
      create(prefill, 6, LONG);
      final Reservation[] places = prefill.reserve(1, 6);
      assertFalse(places[3].isReserved());
      commit(prefill, places, 4, 6);
      assertEquals(6, decode.take(1, decode.await(id, 1, 6, LONG)).chunks());
      assertEquals(4L * SLICES, received() - before);
    }
  }

  @Test
  void shouldKeepTheFirstUseOfAnIdWhenItIsUsedAgain() throws Exception {
    try (TestEngine prefill = engine(0, "again");
        TestEngine decode = engine(1, "again");
        TestEngine second = engine(1, "again")) {
      create(prefill, 2, LONG);
      assertInUse(() -> create(prefill, 2, LONG));
      final Reservation[] places = prefill.reserve(1, 2);
      commit(prefill, places, 0, 2);
      final Acquisition acquisition = decode.await(id, 1, 2, LONG);
      assertInUse(() -> second.await(id, 1, 2, LONG));
      assertEquals(2, decode.take(1, acquisition).chunks());
      await(0, stats -> open(stats) == 0, "the end");
      assertInUse(() -> create(prefill, 2, LONG));
      assertInUse(() -> second.await(id, 1, 2, LONG));
    }
  }

  @Test
  void shouldRefuseTheSecondAwaitWhenTheFirstStillWaits() throws Exception {
    try (TestEngine decode = engine(1, "twice");
        TestEngine second = engine(1, "twice")) {
      final CompletableFuture<TestEngine.Load> first =
          CompletableFuture.supplyAsync(
              () -> decode.take(1, decode.await(id, 1, 2, Duration.ofSeconds(2))));
      await(1, stats -> stats.path("peers").path("acquiresUnfinished").asInt() == 1, "the await");
      assertInUse(() -> second.await(id, 1, 2, LONG));
      assertEquals(new TestEngine.Load(0, 0, EndReason.DEADLINE), first.get(60, TimeUnit.SECONDS));
      assertInUse(() -> second.await(id, 1, 2, LONG));
    }
  }

  @Test
  void shouldMissWhenAwaitedAfterTheCancel() throws Exception {
    try (TestEngine prefill = engine(0, "cancel");
        TestEngine decode = engine(1, "cancel")) {
      create(prefill, 4, Duration.ofMinutes(10));
      final Reservation[] places = prefill.reserve(1, 4);
      commit(prefill, places, 0, 1);
      // Perhaps before the offer is there, which changes nothing.
      decode.client().cancelHandoff(id);
      final Acquisition acquisition = decode.await(id, 1, 4, LONG);
      assertEquals(new TestEngine.Load(0, 0, EndReason.CANCELLED), decode.take(1, acquisition));
      // What the prefill engine computes becomes chunks all the same.
      commit(prefill, places, 1, 4);
      assertEquals(4, prefill.load(1, 4).chunks());
    }
  }

  @Test
  void shouldEndTheAwaitAsCancelledWhenThePrefillSideCancelsBeforeTheFirstSlice() throws Exception {
    try (TestEngine prefill = engine(0, "at-once");
        TestEngine decode = engine(1, "at-once")) {
      create(prefill, 4, LONG);
      // The offer is on its way; the decode node asks for slices of what is over.
      assertTrue(prefill.client().cancelHandoff(id));
      final Acquisition acquisition = decode.await(id, 1, 4, LONG);
      assertEquals(new TestEngine.Load(0, 0, EndReason.CANCELLED), decode.take(1, acquisition));
    }
  }

  @Test
  void shouldEndTheAwaitWhenThePrefillSideCancels() throws Exception {
    try (TestEngine prefill = engine(0, "cancelled");
        TestEngine decode = engine(1, "cancelled")) {
      create(prefill, 4, LONG);
      final Reservation[] places = prefill.reserve(1, 4);
      final Acquisition acquisition = decode.await(id, 1, 4, LONG);
      commit(prefill, places, 0, 1);
      assertNotNull(acquisition.next());
      prefill.handOff(id, SLICE_BYTES, 1, places, 1, 0);
      assertTrue(prefill.client().cancelHandoff(id));
      assertEquals(null, acquisition.next());
      assertEquals(EndReason.CANCELLED, acquisition.endReason());
      decode.client().release(acquisition);
      final SliceResults after = prefill.handOff(id, SLICE_BYTES, 1, places, 2, 0);
      assertEquals(SliceStatus.GONE, after.slices().getFirst().status());
      // The slot of which a slice was committed is gone with it, the others are the engine's.
      prefill.client().abort(prefill.space(), new int[] {places[2].slot(), places[3].slot()});
      assertFalse(prefill.client().endHandoff(id + 1));
    }
  }

  @Test
  void shouldGiveTheLeadingPartWhenTheReceiverIsFull() throws Exception {
    try (TestEngine prefill = engine(0, "full");
        TestEngine decode = engine(1, "full");
        TestEngine hog = engine(1, "hog");
        TestEngine other = engine(1, "other")) {
      hog.reserve(1, SHARE_CHUNKS);
      final Reservation[] taken = other.reserve(1, SHARE_CHUNKS - 3);
      assertTrue(taken[SHARE_CHUNKS - 4].isReserved());
      create(prefill, 8, LONG);
      final Reservation[] places = prefill.reserve(1, 8);
      final Acquisition acquisition = decode.await(id, 1, 8, LONG);
      commit(prefill, places, 0, 8);
      final TestEngine.Load load = decode.take(1, acquisition);
      assertEquals(3, load.chunks());
      assertEquals(EndReason.NO_SPACE, load.reason());
      assertEquals(8, prefill.load(1, 8).chunks());
    }
  }

  @Test
  void shouldGiveTheLeadingPartWhenThePrefillEngineDies() throws Exception {
    try (TestEngine decode = engine(1, "dies")) {
      final Acquisition acquisition;
      try (TestEngine prefill = engine(0, "dies")) {
        create(prefill, 4, LONG);
        final Reservation[] places = prefill.reserve(1, 4);
        acquisition = decode.await(id, 1, 4, LONG);
        commit(prefill, places, 0, 2);
        prefill.handOff(id, SLICE_BYTES, 1, places, 2, 0);
      }
      final TestEngine.Load load = decode.take(1, acquisition);
      assertEquals(2, load.chunks());
      assertEquals(EndReason.MISSING, load.reason());
    }
  }

  @Test
  void shouldGiveTheLeadingPartWhenTheDeadlineOfTheHandoffPasses() throws Exception {
    try (TestEngine prefill = engine(0, "late");
        TestEngine decode = engine(1, "late")) {
      create(prefill, 4, Duration.ofSeconds(2));
      final Reservation[] places = prefill.reserve(1, 4);
      final Acquisition acquisition = decode.await(id, 1, 4, LONG);
      commit(prefill, places, 0, 2);
      prefill.handOff(id, SLICE_BYTES, 1, places, 2, 1);
      final TestEngine.Load load = decode.take(1, acquisition);
      assertEquals(2, load.chunks());
      assertEquals(EndReason.DEADLINE, load.reason());
    }
  }

  @Test
  void shouldLetGoOfChunksWhenNobodyAwaitsThem() throws Exception {
    try (TestEngine prefill = engine(0, "alone");
        TestEngine decode = engine(1, "alone")) {
      create(prefill, 2, Duration.ofSeconds(2));
      commit(prefill, prefill.reserve(1, 2), 0, 2);
      await(1, stats -> open(stats) == 0, "the deadline");
      assertEquals(
          new TestEngine.Load(0, 0, EndReason.DEADLINE),
          decode.take(1, decode.await(id, 1, 2, LONG)));
      assertEquals(2, decode.load(1, 2).local());
    }
  }

  @Test
  void shouldEndTheAwaitAtOnceWhenThePrefillEngineEndsTheHandoff() throws Exception {
    try (TestEngine prefill = engine(0, "end");
        TestEngine decode = engine(1, "end")) {
      create(prefill, 5, LONG);
      final Acquisition acquisition = decode.await(id, 1, 5, LONG);
      commit(prefill, prefill.reserve(1, 3), 0, 3);
      assertTrue(prefill.client().endHandoff(id));
      assertEquals(new TestEngine.Load(0, 3, EndReason.MISSING), decode.take(1, acquisition));
    }
  }

  @Test
  void shouldRefuseSlicesThatCannotBe() throws Exception {
    try (TestEngine prefill = engine(0, "slices");
        TestEngine stranger = engine(0, "slices")) {
      assertEquals(0, prefill.createHandoff(id, new long[] {77}, SLICE_BYTES, 1, 2, LONG));
      final Reservation[] places = prefill.reserve(1, 3);
      assertEquals(SliceStatus.FAILED, status(prefill, places[0].slot(), SLICES));
      assertEquals(SliceStatus.COMMITTED, status(prefill, places[0].slot(), 0));
      assertEquals(SliceStatus.FAILED, status(prefill, places[0].slot(), 0));
      assertEquals(SliceStatus.NOT_RESERVED, status(prefill, places[2].slot(), 0));
      assertEquals(SliceStatus.NOT_RESERVED, status(prefill, 1 << 30, 0));
      assertEquals(SliceStatus.GONE, status(stranger, places[1].slot(), 0));
      assertFalse(stranger.client().endHandoff(id + 1));
      final KvasirProtocolException refused =
          assertThrows(
              KvasirProtocolException.class,
              () -> prefill.createHandoff(id + 1, new long[] {receiver}, 1, 2, 1, LONG));
      assertEquals(ErrorCode.INVALID_ARGUMENT, refused.errorCode());
      prefill.client().abort(prefill.space(), new int[] {places[1].slot(), places[2].slot()});
      assertTrue(prefill.client().endHandoff(id));
    }
  }

  private SliceStatus status(final TestEngine engine, final int slot, final int slice) {
    return engine
        .client()
        .commitSlices(id, new int[] {slot}, new int[] {slice})
        .slices()
        .getFirst()
        .status();
  }

  private int create(final TestEngine prefill, final int chunks, final Duration deadline) {
    return prefill.createHandoff(id, new long[] {receiver}, SLICE_BYTES, 1, chunks, deadline);
  }

  /** Layer by layer, as a model does. */
  private SliceResults commit(
      final TestEngine prefill, final Reservation[] places, final int from, final int to) {
    SliceResults last = null;
    for (int slice = 0; slice < SLICES; slice++) {
      for (int chunk = from; chunk < to; chunk++) {
        last = prefill.handOff(id, SLICE_BYTES, 1, places, chunk, slice);
        assertCommitted(last);
        assertEquals(slice == SLICES - 1, last.slices().getFirst().version() != 0);
      }
    }
    assertNotNull(last);
    return last;
  }

  private static void assertCommitted(final SliceResults results) {
    assertEquals(SliceStatus.COMMITTED, results.slices().getFirst().status());
  }

  private static void assertInUse(final Runnable call) {
    final KvasirProtocolException refused = assertThrows(KvasirProtocolException.class, call::run);
    assertEquals(ErrorCode.HANDOFF_IN_USE, refused.errorCode());
  }

  private static long received() throws IOException {
    return stats(1).path("handoffs").path("slicesReceived").asLong();
  }

  private static TestEngine engine(final int node, final String model) {
    assertNotEquals(0, receiver);
    return TestEngine.connect(Path.of(NODES.get(node).info().engineSocket()), model, CHUNK_BYTES);
  }

  private static JsonNode stats(final int node) throws IOException {
    return JsonMapper.builder()
        .build()
        .readTree(
            NodeProbe.stats(
                Path.of(NODES.get(node).info().engineSocket()), Duration.ofSeconds(10)));
  }

  private static void await(final int node, final Predicate<JsonNode> condition, final String what)
      throws Exception {
    final long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    JsonNode now = stats(node);
    while (!condition.test(now)) {
      final JsonNode last = now;
      assertTrue(
          System.nanoTime() - deadlineNs < 0,
          () -> "not in time: " + what + " at node " + node + ": " + last);
      Thread.sleep(10);
      now = stats(node);
    }
  }
}
