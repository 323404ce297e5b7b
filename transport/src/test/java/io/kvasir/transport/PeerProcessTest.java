package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.agrona.IoUtil;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** Holders that are killed or stopped. */
@Timeout(180)
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "signals")
final class PeerProcessTest {
  private static final int LENGTH = 64 << 20;
  private final Peers peers = new Peers();
  private final Path childDirectory = peers.directory().resolve("aeron-child");

  @AfterEach
  void closePeers() throws IOException {
    IoUtil.delete(childDirectory.toFile(), true);
    peers.close();
  }

  private static TestPull begin(Peers.Peer reader, String endpoint, int length) {
    PullChunk chunk = new PullChunk(Payload.key(0), 1, reader.memory(length), length, 0, 0);
    return TestPull.of(chunk).start(reader.transport, 2, endpoint);
  }

  private static void awaitFirstBytes(Peers.Peer reader) {
    long before = reader.transport.stats().bytesReceived();
    Peers.await(() -> "first bytes", () -> reader.transport.stats().bytesReceived() > before);
  }

  @Test
  void shouldFailInTimeWhenTheHolderIsKilledAndGoOnWhenItIsBack() throws Exception {
    Peers.Peer reader = peers.start(1);
    PeerMain.Child killed = PeerMain.Child.start(2, childDirectory, 0, 1, LENGTH);
    TestPull pull;
    long killedNs;
    try {
      pull = begin(reader, killed.endpoint, LENGTH);
      awaitFirstBytes(reader);
    } finally {
      killed.process.destroyForcibly().onExit().join();
      killedNs = System.nanoTime();
    }
    TestPull.Outcome outcome = pull.await().outcome(0);
    long tookMs = (System.nanoTime() - killedNs) / 1_000_000;
    assertEquals(PullFailure.SILENT, outcome.failure());
    System.out.printf(
        "killed holder noticed after %d ms, %d B in place%n", tookMs, outcome.bytesReached());
    assertTrue(outcome.bytesReached() > 0 && outcome.bytesReached() < LENGTH);
    assertEquals(
        -1, Payload.mismatch(Payload.key(0), 7, pull.memory(0), outcome.bytesReached() & ~7));

    // Same node, same address, same directory with the files of the killed driver.
    try (PeerMain.Child back = PeerMain.Child.start(2, childDirectory, killed.port(), 1, 1 << 20)) {
      Peers.await(
          () -> "the restarted peer serves " + reader.transport.stats(),
          Duration.ofSeconds(30),
          () -> {
            try {
              return begin(reader, back.endpoint, 1 << 20).await().outcome(0).failure() == null;
            } catch (InterruptedException e) {
              throw new IllegalStateException(e);
            }
          });
    }
  }

  @Test
  void shouldWriteNothingWhenAStoppedHolderComesBack() throws Exception {
    Peers.Peer reader = peers.start(1);
    try (PeerMain.Child child = PeerMain.Child.start(2, childDirectory, 0, 1, LENGTH)) {
      TestPull pull = begin(reader, child.endpoint, LENGTH);
      awaitFirstBytes(reader);
      child.signal("STOP");
      try {
        assertEquals(PullFailure.SILENT, pull.await().outcome(0).failure());
        assertNotEquals(LENGTH, pull.outcome(0).bytesReached());
        pull.memory(0).fill((byte) 0x5A);
        // While it is silent nobody waits for it again.
        TestPull next = begin(reader, child.endpoint, LENGTH).await();
        assertEquals(PullFailure.SILENT, next.outcome(0).failure());
        assertEquals(0, next.outcome(0).bytesReached());
      } finally {
        child.signal("CONT");
      }
      Peers.await(
          () -> "the holder serves again " + reader.transport.stats(),
          () -> {
            try {
              return begin(reader, child.endpoint, LENGTH).await().outcome(0).failure() == null;
            } catch (InterruptedException e) {
              throw new IllegalStateException(e);
            }
          });
      long words = LENGTH / 8;
      for (long i = 0; i < words; i++) {
        assertEquals(
            0x5A5A5A5A5A5A5A5AL,
            pull.memory(0).getAtIndex(java.lang.foreign.ValueLayout.JAVA_LONG, i));
      }
    }
  }
}
