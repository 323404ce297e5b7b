package io.kvasir.node.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.kvasir.node.TestEngine;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Three node processes, two holders of every chunk, of which one stops. */
class HedgeTest {
  private static final int CHUNK_BYTES = 64 << 10;
  private static final int CHUNKS = 2;

  /** Enough that the reader knows how long each of the two lets it wait. */
  private static final int PROMPTS = 80;

  private static final int PROMPTS_STOPPED = 20;
  private static final int STOPPED = 1;
  private static final int READER = 2;

  private static LocalCluster cluster;

  @BeforeAll
  static void start() throws IOException {
    cluster = LocalCluster.builder().nodes(3).slabBytes(64L << 20).shortLived().start();
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @Test
  void shouldAskTheOtherHolderWhenOneIsLate() throws Exception {
    try (TestEngine writer = engine(0);
        TestEngine second = engine(STOPPED);
        TestEngine reader = engine(READER)) {
      for (int prompt = 0; prompt < PROMPTS + PROMPTS_STOPPED; prompt++) {
        writer.store(prompt, CHUNKS, true);
        // Two engines that compute the same prompt: both nodes hold it, in versions of their own.
        second.store(prompt, CHUNKS, true);
      }
      for (int prompt = 0; prompt < PROMPTS; prompt++) {
        assertEquals(CHUNKS, reader.loadAll(prompt, CHUNKS, CHUNKS).peer());
      }
      final long pid = cluster.node(STOPPED).pid();
      Signals.stop(pid);
      try {
        for (int prompt = PROMPTS; prompt < PROMPTS + PROMPTS_STOPPED; prompt++) {
          final long startNs = System.nanoTime();
          final TestEngine.Load load = reader.loadAll(prompt, CHUNKS, CHUNKS);
          final long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs);
          System.out.println("one holder stopped: " + load + ", ms=" + millis);
        }
      } finally {
        Signals.resume(pid);
      }
      final JsonNode peers = cluster.node(READER).stats().path("peers");
      System.out.println(peers);
      final long hedged = peers.path("bytesHedged").asLong();
      final double allowed = 0.05 * peers.path("bytesPulled").asLong();
      // On a busy machine the nodes may have been late often enough before.
      final boolean isSpent = hedged + CHUNK_BYTES > allowed;
      assertTrue(isSpent || peers.path("hedgesWon").asLong() > 0, "nobody else was asked");
      assertTrue(hedged <= allowed, "too much was asked for twice");
    }
  }

  private static TestEngine engine(final int node) {
    return TestEngine.connect(cluster.node(node).engineSocket(), "hedge", CHUNK_BYTES);
  }
}
