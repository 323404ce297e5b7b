package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
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

  private static TestPull begin(Peers.Peer reader, String endpoint, MemorySegment destination) {
    PullChunk chunk =
        new PullChunk(Payload.key(0), 1, destination, (int) destination.byteSize(), 0, 0);
    return TestPull.of(chunk).start(reader.transport, 2, endpoint);
  }

  private static void awaitFirstBytes(Peers.Peer reader) {
    Peers.await(() -> "first bytes", () -> reader.transport.stats().bytesReceived() > 0);
  }

  private static void awaitPulled(Peers.Peer reader, String endpoint, int length) {
    MemorySegment destination = reader.memory(length);
    Peers.await(
        () -> "the peer serves again " + reader.transport.stats(),
        Duration.ofSeconds(60),
        () -> {
          LockSupport.parkNanos(5_000_000);
          try {
            return begin(reader, endpoint, destination).await().outcome(0).failure() == null;
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
        });
  }

  @Test
  void shouldFailInTimeWhenTheHolderIsKilledAndGoOnWhenItIsBack() throws Exception {
    DataGate gate = new DataGate();
    Peers.Peer reader = peers.start(1, Peers::shortSilence, gate.inReader());
    PeerMain.Child killed = PeerMain.Child.start(2, childDirectory, 0, 1, LENGTH);
    TestPull pull;
    long killedNs;
    try {
      pull = begin(reader, killed.endpoint, reader.memory(LENGTH));
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

    gate.open();
    // Same node, same address, same directory with the files of the killed driver.
    try (PeerMain.Child back = PeerMain.Child.start(2, childDirectory, killed.port(), 1, 1 << 20)) {
      awaitPulled(reader, back.endpoint, 1 << 20);
    }
  }

  @Test
  void shouldWriteNothingWhenAStoppedHolderComesBack() throws Exception {
    DataGate gate = new DataGate();
    Peers.Peer reader = peers.start(1, Peers::shortSilence, gate.inReader());
    try (PeerMain.Child child = PeerMain.Child.start(2, childDirectory, 0, 1, LENGTH)) {
      TestPull pull = begin(reader, child.endpoint, reader.memory(LENGTH));
      awaitFirstBytes(reader);
      child.signal("STOP");
      try {
        assertEquals(PullFailure.SILENT, pull.await().outcome(0).failure());
        assertNotEquals(LENGTH, pull.outcome(0).bytesReached());
        pull.memory(0).fill((byte) 0x5A);
        // While it is silent nobody waits for it again.
        TestPull next = begin(reader, child.endpoint, reader.memory(LENGTH)).await();
        assertEquals(PullFailure.SILENT, next.outcome(0).failure());
        assertEquals(0, next.outcome(0).bytesReached());
      } finally {
        gate.open();
        child.signal("CONT");
      }
      awaitPulled(reader, child.endpoint, LENGTH);
      long words = LENGTH / 8;
      for (long i = 0; i < words; i++) {
        assertEquals(
            0x5A5A5A5A5A5A5A5AL,
            pull.memory(0).getAtIndex(java.lang.foreign.ValueLayout.JAVA_LONG, i));
      }
    }
  }
}
