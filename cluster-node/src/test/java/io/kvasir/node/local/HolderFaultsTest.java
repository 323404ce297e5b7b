package io.kvasir.node.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.node.TestEngine;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Two nodes hold the chunks that a third one pulls, and the one it pulls from goes away. */
@Timeout(3_600)
class HolderFaultsTest {
  private static final int KILLS = Boolean.getBoolean("kvasir.full") ? 200 : 5;
  private static final int CHUNK_BYTES = 1 << 20;
  private static final int CHUNKS = 48; // on their way for some 50 ms
  private static final int REFILLS = 7; // more than the slab takes
  private static final int HOLDERS = 2;
  private static final int READER = 2;
  private static final Duration CONVERGENCE = Duration.ofMinutes(2);

  private static LocalCluster cluster;

  @BeforeAll
  static void start() throws IOException {
    cluster = LocalCluster.builder().nodes(3).slabBytes(256L << 20).start();
  }

  @AfterAll
  static void stop() {
    cluster.close();
  }

  @Test
  void shouldLoadAllFromTheSecondHolderWhenTheFirstIsKilledInMidPull() throws Exception {
    final long seed = System.nanoTime();
    final Random random = new Random(seed);
    System.out.println("holder faults seed=" + seed);
    System.out.printf("holder load, undisturbed: ms=%d%n", undisturbedMs());
    final long[] tookMs = new long[KILLS];
    int struck = 0;
    for (int round = 0; round < KILLS; round++) {
      cluster.awaitMembers(CONVERGENCE);
      final int prompt = round;
      bothHold(prompt);
      final long failedOver = failedOver();
      final int killed;
      try (TestEngine reader = engine(READER)) {
        reader.awaitFound(prompt, CHUNKS);
        final long startNs = System.nanoTime();
        final CompletableFuture<TestEngine.Load> load =
            CompletableFuture.supplyAsync(() -> reader.load(prompt, CHUNKS));
        killed = awaitServing(load);
        LockSupport.parkNanos(random.nextLong(TimeUnit.MILLISECONDS.toNanos(20)));
        cluster.node(killed).kill();
        // TestEngine checks every byte of what it gets.
        final TestEngine.Load got = load.get(CONVERGENCE.toSeconds(), TimeUnit.SECONDS);
        tookMs[round] = readyMs(reader, startNs);
        assertEquals(new TestEngine.Load(0, CHUNKS, EndReason.COMPLETE), got);
      }
      struck += failedOver() > failedOver ? 1 : 0;
      cluster.restart(killed);
    }
    Arrays.sort(tookMs);
    System.out.printf(
        "holder kills=%d inMidPull=%d loadMs p50=%d max=%d%n",
        KILLS, struck, tookMs[KILLS / 2], tookMs[KILLS - 1]);
    assertTrue(struck > 0, "no kill came in mid-pull");
  }

  @Test
  void shouldNotLetAStoppedHolderWriteIntoAReassignedSlotWhenItGoesOn() throws Exception {
    cluster.awaitMembers(CONVERGENCE);
    final int prompt = 1_000;
    bothHold(prompt);
    final long pid;
    try (TestEngine reader = engine(READER)) {
      reader.awaitFound(prompt, CHUNKS);
      final long failedOver = failedOver();
      final long startNs = System.nanoTime();
      final CompletableFuture<TestEngine.Load> load =
          CompletableFuture.supplyAsync(() -> reader.load(prompt, CHUNKS));
      pid = cluster.node(awaitServing(load)).pid();
      Signals.stop(pid);
      try {
        assertEquals(
            new TestEngine.Load(0, CHUNKS, EndReason.COMPLETE),
            load.get(CONVERGENCE.toSeconds(), TimeUnit.SECONDS));
        System.out.printf(
            "holder stopped in mid-pull: loadMs=%d failedOver=%d%n",
            TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs), failedOver() - failedOver);
        // Other chunks take every slot of the reader, those of the pull that was given up too.
        for (int other = 1; other <= REFILLS; other++) {
          assertEquals(CHUNKS, reader.store(prompt + other, CHUNKS, false));
        }
      } finally {
        Signals.resume(pid);
      }
      cluster.awaitMembers(CONVERGENCE);
      for (int other = REFILLS - 1; other <= REFILLS; other++) {
        assertEquals(CHUNKS, reader.load(prompt + other, CHUNKS).local());
      }
    }
  }

  /** What the same load takes when nothing happens. */
  private static long undisturbedMs() throws Exception {
    cluster.awaitMembers(CONVERGENCE);
    final int prompt = -1;
    bothHold(prompt);
    try (TestEngine reader = engine(READER)) {
      reader.awaitFound(prompt, CHUNKS);
      final long startNs = System.nanoTime();
      reader.loadAll(prompt, CHUNKS, CHUNKS);
      return readyMs(reader, startNs);
    }
  }

  private static long readyMs(final TestEngine reader, final long startNs) {
    return TimeUnit.NANOSECONDS.toMillis(reader.lastReadyNs() - startNs);
  }

  private static void bothHold(final int prompt) throws Exception {
    try (TestEngine first = engine(0);
        TestEngine second = engine(1)) {
      first.store(prompt, CHUNKS, true);
      second.store(prompt, CHUNKS, true);
    }
  }

  /** The node that sends; any of them if the load was too fast to be seen. */
  private static int awaitServing(final CompletableFuture<TestEngine.Load> load)
      throws IOException {
    while (!load.isDone()) {
      for (int node = 0; node < HOLDERS; node++) {
        if (cluster.node(node).stats().path("peers").path("servesOpen").asInt() > 0) {
          return node;
        }
      }
    }
    return 0;
  }

  private static long failedOver() throws IOException {
    return cluster.node(READER).stats().path("peers").path("failedOver").asLong();
  }

  private static TestEngine engine(final int node) {
    return TestEngine.connect(cluster.node(node).engineSocket(), "kill", CHUNK_BYTES);
  }
}
