package io.kvasir.node.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.kvasir.connectors.client.LookupResult;
import io.kvasir.connectors.protocol.LoadAdvice;
import io.kvasir.node.TestEngine;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Two node processes, of which the only holder stops for a while. */
class StoppedHolderTest {
  private static final int CHUNK_BYTES = 64 << 10;
  private static final int CHUNKS = 2;
  private static final int HOLDER = 1;
  private static final int READER = 0;
  private static final Duration CONVERGENCE = Duration.ofMinutes(1);

  private static LocalCluster cluster;

  @BeforeAll
  static void start() throws IOException {
    cluster = LocalCluster.builder().nodes(2).slabBytes(32L << 20).shortLived().start();
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @Test
  void shouldNotBeAskedUntilItAnswersAgain() throws Exception {
    try (TestEngine writer = engine(HOLDER);
        TestEngine reader = engine(READER)) {
      for (int prompt = 0; prompt < 3; prompt++) {
        writer.store(prompt, CHUNKS, true);
        reader.awaitFound(prompt, CHUNKS);
      }
      assertEquals(CHUNKS, reader.loadAll(0, CHUNKS, CHUNKS).peer());
      assertEquals("CLOSED", link().path("breaker").asText());
      assertTrue(link().path("bytesPerSecond").asLong() > 0, link()::toString);
      final long pid = cluster.node(HOLDER).pid();
      Signals.stop(pid);
      try {
        final long deadlineNs = System.nanoTime() + CONVERGENCE.toNanos();
        while (!link().path("breaker").asText().equals("OPEN")) {
          assertTrue(System.nanoTime() - deadlineNs < 0, link()::toString);
          assertEquals(0, reader.load(1, CHUNKS).chunks());
        }
        final long startNs = System.nanoTime();
        final TestEngine.Load load = reader.load(1, CHUNKS);
        System.out.println(
            "open: " + load + ", ms=" + TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs));
      } finally {
        Signals.resume(pid);
      }
      assertEquals(CHUNKS, reader.loadAll(1, CHUNKS, CHUNKS).peer());
      assertEquals("CLOSED", link().path("breaker").asText());
      final LookupResult found = reader.lookup(2, CHUNKS, 1);
      assertEquals(CHUNKS, found.worth());
      assertEquals(LoadAdvice.ALL, found.advice());
    }
  }

  /** What the reader knows of the holder. */
  private static JsonNode link() throws IOException {
    return cluster.node(READER).stats().path("links").path(0);
  }

  private static TestEngine engine(final int node) {
    return TestEngine.connect(cluster.node(node).engineSocket(), "stopped", CHUNK_BYTES);
  }
}
