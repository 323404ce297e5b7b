package io.kvasir.node.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.connectors.client.LookupResult;
import io.kvasir.connectors.protocol.LoadAdvice;
import io.kvasir.node.TestEngine;
import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Two node processes with a slow link: what a node advises its engine. */
class ThrottledNodesTest {
  private static final int CHUNK_BYTES = 256 << 10;
  private static final int CHUNKS = 6;

  /** Four chunks in a second. */
  private static final long LINK_BYTES_PER_SECOND = 1 << 20;

  private static final int SLOW_ENGINE = TestEngine.CHUNK_TOKENS;
  private static final int FAST_ENGINE = 12 * TestEngine.CHUNK_TOKENS;
  private static final Duration CONVERGENCE = Duration.ofMinutes(2);

  private static LocalCluster cluster;

  @BeforeAll
  static void start() throws IOException {
    cluster =
        LocalCluster.builder()
            .nodes(2)
            .slabBytes(32L << 20)
            .set("transport.demand-bytes-per-second=" + LINK_BYTES_PER_SECOND)
            .shortLived()
            .start();
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @Test
  void shouldAdviseByTheEngineWhenTheLinkIsSlow() throws Exception {
    try (TestEngine writer = engine(0);
        TestEngine reader = engine(1)) {
      for (int prompt = 1; prompt <= 2; prompt++) {
        writer.store(prompt, CHUNKS, true);
        reader.awaitFound(prompt, CHUNKS);
      }
      assertEquals(CHUNKS, reader.loadAll(1, CHUNKS, CHUNKS).peer());

      final LookupResult slow = reader.lookup(2, CHUNKS, SLOW_ENGINE);
      assertEquals(CHUNKS, slow.worth());
      assertEquals(LoadAdvice.ALL, slow.advice());
      final double atLeastUs = 0.8e6 * CHUNKS * CHUNK_BYTES / LINK_BYTES_PER_SECOND;
      assertTrue(slow.estimateUs() > atLeastUs, slow + " atLeastUs=" + atLeastUs);

      final LookupResult fast = reader.lookup(2, CHUNKS, FAST_ENGINE);
      assertEquals(CHUNKS, fast.found());
      assertEquals(0, fast.worth());
      assertEquals(LoadAdvice.BANDWIDTH, fast.advice());
      // An engine that does not say how fast it is loads all.
      assertEquals(CHUNKS, reader.lookup(2, CHUNKS).worth());
    }
  }

  @Test
  void shouldLookAgainWhenAPeerHasBeenTooSlowForAWhile() throws Exception {
    try (TestEngine writer = engine(0);
        TestEngine reader = engine(1)) {
      writer.store(11, CHUNKS, true);
      writer.store(12, CHUNKS, true);
      reader.awaitFound(11, CHUNKS);
      reader.awaitFound(12, CHUNKS);
      assertEquals(CHUNKS, reader.loadAll(11, CHUNKS, CHUNKS).peer());
      final long deadlineNs = System.nanoTime() + CONVERGENCE.toNanos();
      while (reader.lookup(12, CHUNKS, FAST_ENGINE).local() == 0) {
        assertTrue(System.nanoTime() - deadlineNs < 0, "nothing was pulled to look again");
        Thread.sleep(100);
      }
      assertTrue(cluster.node(1).stats().path("peers").path("rateProbes").asLong() > 0);
    }
  }

  private static TestEngine engine(final int node) {
    return TestEngine.connect(cluster.node(node).engineSocket(), "throttled", CHUNK_BYTES);
  }
}
