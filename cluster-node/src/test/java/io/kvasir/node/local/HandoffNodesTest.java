package io.kvasir.node.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.kvasir.connectors.client.Acquisition;
import io.kvasir.connectors.client.Reservation;
import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.connectors.protocol.SliceStatus;
import io.kvasir.node.TestEngine;
import java.io.IOException;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Hand-offs between node processes, to several of them, and when one of them is killed. */
@Timeout(300)
class HandoffNodesTest {
  private static final int CHUNK_BYTES = 256 << 10;
  private static final int SLICE_BYTES = 64 << 10;
  private static final int SLICES = 4;
  private static final int CHUNKS = 8;
  private static final Duration LONG = Duration.ofSeconds(60);

  private static LocalCluster cluster;

  private final long id = new Random().nextLong();

  @BeforeAll
  static void start() throws IOException {
    cluster = LocalCluster.builder().nodes(3).slabBytes(32L << 20).shortLived().start();
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @BeforeEach
  void everyNodeSeesAll() throws IOException {
    cluster.awaitMembers(LONG);
  }

  @Test
  void shouldArriveEverywhereWhenThereAreSeveralReceivers() throws Exception {
    try (TestEngine prefill = engine(0, "several");
        TestEngine one = engine(1, "several");
        TestEngine two = engine(2, "several")) {
      assertEquals(2, create(prefill, 1, 2));
      final Reservation[] places = prefill.reserve(1, CHUNKS);
      final Acquisition first = one.await(id, 1, CHUNKS, LONG);
      final Acquisition second = two.await(id, 1, CHUNKS, LONG);
      commit(prefill, places, 0, CHUNKS);
      assertEquals(new TestEngine.Load(0, CHUNKS, EndReason.COMPLETE), one.take(1, first));
      assertEquals(new TestEngine.Load(0, CHUNKS, EndReason.COMPLETE), two.take(1, second));
    }
    for (int node = 0; node < 3; node++) {
      awaitNothingLeft(node);
    }
  }

  @Test
  void shouldGiveTheLeadingPartWhenThePrefillNodeIsKilled() throws Exception {
    try (TestEngine decode = engine(1, "killed")) {
      try (TestEngine prefill = engine(0, "killed")) {
        create(prefill, 1);
        final Reservation[] places = prefill.reserve(1, CHUNKS);
        final Acquisition acquisition = decode.await(id, 1, CHUNKS, LONG);
        commit(prefill, places, 0, 3);
        for (int slice = 0; slice < SLICES - 1; slice++) {
          prefill.handOff(id, SLICE_BYTES, 1, places, 3, slice);
        }
        for (int i = 0; i < 3; i++) {
          assertNotNull(acquisition.next());
        }
        cluster.node(0).kill();
        final long killedNs = System.nanoTime();
        assertEquals(null, acquisition.next());
        System.out.println(
            "await ended ms after the kill: "
                + TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - killedNs));
        assertEquals(EndReason.FAILED, acquisition.endReason());
        assertTrue(decode.client().release(acquisition));
      }
      assertEquals(3, decode.load(1, 3).local());
    }
    awaitNothingLeft(1);
    cluster.restart(0);
    cluster.awaitMembers(LONG);
    // Whole chunks are adopted; what was being computed stays closed while its writer lives: we do.
    assertEquals(CHUNKS - 3, cluster.node(0).stats().path("store").path("quarantined").asInt());
    try (TestEngine prefill = engine(0, "killed")) {
      assertEquals(3, prefill.load(1, CHUNKS).local());
    }
  }

  @Test
  void shouldKeepComputingWhenTheDecodeNodeIsKilled() throws Exception {
    try (TestEngine prefill = engine(0, "decode")) {
      assertEquals(1, create(prefill, 2));
      final Reservation[] places = prefill.reserve(1, CHUNKS);
      commit(prefill, places, 0, 2);
      cluster.node(2).kill();
      commit(prefill, places, 2, CHUNKS);
      assertEquals(CHUNKS, prefill.load(1, CHUNKS).local());
      assertTrue(prefill.client().cancelHandoff(id));
    }
    awaitNothingLeft(0);
    cluster.restart(2);
  }

  private int create(final TestEngine prefill, final int... receivers) throws IOException {
    final long[] ids = new long[receivers.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = Long.parseUnsignedLong(cluster.node(receivers[i]).info().nodeId(), 16);
    }
    return prefill.createHandoff(id, ids, SLICE_BYTES, 1, CHUNKS, LONG);
  }

  private void commit(
      final TestEngine prefill, final Reservation[] places, final int from, final int to) {
    for (int slice = 0; slice < SLICES; slice++) {
      for (int chunk = from; chunk < to; chunk++) {
        assertEquals(
            SliceStatus.COMMITTED,
            prefill.handOff(id, SLICE_BYTES, 1, places, chunk, slice).slices().getFirst().status());
      }
    }
  }

  private static void awaitNothingLeft(final int node) throws Exception {
    awaitStats(
        node,
        stats ->
            stats.path("store").path("reserved").asInt() == 0
                && stats.path("store").path("pinned").asInt() == 0
                && stats.path("handoffs").path("outboundOpen").asInt() == 0
                && stats.path("handoffs").path("inboundOpen").asInt() == 0
                && stats.path("peers").path("servesOpen").asInt() == 0,
        "nothing left");
  }

  private static void awaitStats(
      final int node, final Predicate<JsonNode> condition, final String what) throws Exception {
    final long deadlineNs = System.nanoTime() + LONG.toNanos();
    JsonNode now = cluster.node(node).stats();
    while (!condition.test(now)) {
      final JsonNode last = now;
      assertFalse(System.nanoTime() - deadlineNs > 0, () -> "not in time: " + what + ": " + last);
      Thread.sleep(20);
      now = cluster.node(node).stats();
    }
  }

  private static TestEngine engine(final int node, final String model) {
    return TestEngine.connect(cluster.node(node).engineSocket(), model, CHUNK_BYTES);
  }
}
