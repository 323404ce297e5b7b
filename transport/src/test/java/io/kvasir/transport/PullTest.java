package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.placement.ChunkKey;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
final class PullTest {
  private static final long VERSION = 0x5eed;
  private final Peers peers = new Peers();

  @AfterEach
  void closePeers() throws IOException {
    peers.close();
  }

  private static PullChunk chunk(Peers.Peer reader, ChunkKey key, int lengthBytes) {
    return new PullChunk(key, 1, reader.memory(lengthBytes), lengthBytes, 0, 0);
  }

  @Test
  void shouldDeliverEveryByteWhenChunksHaveRandomSizes() throws InterruptedException {
    long seed = System.nanoTime();
    System.out.println("seed=" + seed);
    Random random = new Random(seed);
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = peers.start(2);
    for (int round = 0; round < 4; round++) {
      List<PullChunk> chunks = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        int length = 1 + random.nextInt(1 << random.nextInt(24));
        ChunkKey key = Payload.key(random.nextLong());
        holder.source.add(key, 1 + random.nextInt(1000), length);
        chunks.add(chunk(reader, key, length));
      }
      TestPull pull = TestPull.of(chunks.toArray(PullChunk[]::new));
      pull.start(reader.transport, 2, holder.endpoint()).await();
      for (int i = 0; i < chunks.size(); i++) {
        pull.assertReceived(i);
      }
    }
    holder.awaitNoPins();
    // Counted after the listener was told.
    Peers.await(
        () -> "received=" + reader.transport.stats().chunksReceived(),
        () -> reader.transport.stats().chunksReceived() == 32);
    assertEquals(0, reader.transport.stats().protocolErrors());
  }

  @Test
  void shouldSendWhatIsAtHandWhenEarlierChunksAreNot() throws InterruptedException {
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = peers.start(2);
    int length = 300_000;
    List<PullChunk> chunks = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      holder.source.add(Payload.key(i), VERSION, length);
      chunks.add(chunk(reader, Payload.key(i), length));
    }
    holder.source.late.addAll(List.of(Payload.key(0), Payload.key(1), Payload.key(4)));
    TestPull pull = TestPull.of(chunks.toArray(PullChunk[]::new));
    pull.start(reader.transport, 2, holder.endpoint());
    Peers.await(
        () -> "received=" + reader.transport.stats().chunksReceived(),
        () -> reader.transport.stats().chunksReceived() == 3);
    assertFalse(pull.isEnded());
    holder.source.answerLate();
    pull.await();
    for (int i = 0; i < chunks.size(); i++) {
      pull.assertReceived(i);
    }
    holder.awaitNoPins();
    assertEquals(0, reader.transport.stats().protocolErrors());
  }

  @Test
  void shouldTellTheHolderWhenItsBytesAreDoubted() throws InterruptedException {
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = peers.start(2);
    ChunkKey key = Payload.key(7);
    holder.source.add(key, VERSION, 100);
    TestPull.of(chunk(reader, key, 100)).start(reader.transport, 2, holder.endpoint()).await();

    reader.transport.doubt(2, key, VERSION);

    Peers.await(
        () -> "the doubt to arrive",
        () -> Long.valueOf(VERSION).equals(holder.source.doubts.get(key)));
  }

  @Test
  void shouldKeepPullsApartWhenManyAreInFlightBothWays() throws InterruptedException {
    Peers.Peer one = peers.start(1);
    Peers.Peer two = peers.start(2);
    Peers.Peer three = peers.start(3);
    List<TestPull> pulls = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      Peers.Peer holder = i % 3 == 0 ? two : i % 3 == 1 ? three : one;
      Peers.Peer reader = holder == one ? two : one;
      ChunkKey key = Payload.key(100 + i);
      ChunkKey tail = Payload.key(500 + i);
      holder.source.add(key, VERSION + i, 700_001 + i);
      holder.source.add(tail, VERSION, 3);
      TestPull pull = TestPull.of(chunk(reader, key, 700_001 + i), chunk(reader, tail, 3));
      pulls.add(pull.start(reader.transport, holder.config.nodeId(), holder.endpoint()));
    }
    for (TestPull pull : pulls) {
      pull.await().assertReceived(0);
      pull.assertReceived(1);
    }
    assertEquals(2, one.transport.stats().sessionsOpened());
  }

  @Test
  void shouldRequestEveryChunkWhenTheyDoNotFitOneFrame() throws InterruptedException {
    Peers.Peer reader = peers.start(1, b -> b.mtuBytes(1_408), context -> {});
    Peers.Peer holder = peers.start(2, b -> b.mtuBytes(1_408), context -> {});
    PullChunk[] chunks = new PullChunk[PullRequest.CHUNKS_MAX];
    for (int i = 0; i < chunks.length; i++) {
      ChunkKey key = Payload.key(i);
      holder.source.add(key, VERSION, 40);
      chunks[i] = chunk(reader, key, 40);
    }
    TestPull pull = TestPull.of(chunks).start(reader.transport, 2, holder.endpoint()).await();
    for (int i = 0; i < chunks.length; i++) {
      pull.assertReceived(i);
    }
  }

  @Test
  void shouldReportMissingChunksAndDeliverTheOthers() throws InterruptedException {
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = peers.start(2);
    ChunkKey there = Payload.key(1);
    holder.source.add(there, VERSION, 100_000);
    TestPull pull =
        TestPull.of(
                chunk(reader, Payload.key(9), 5),
                chunk(reader, there, 100_000),
                chunk(reader, Payload.key(8), 5))
            .start(reader.transport, 2, holder.endpoint())
            .await();
    assertEquals(PullFailure.MISSING, pull.outcome(0).failure());
    pull.assertReceived(1);
    assertEquals(PullFailure.MISSING, pull.outcome(2).failure());
  }

  @Test
  void shouldRefuseAnotherVersionAndAnotherLength() throws InterruptedException {
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = peers.start(2);
    ChunkKey key = Payload.key(1);
    holder.source.add(key, VERSION, 4_000);
    MemorySegment slot = reader.memory(4_000);
    TestPull pull =
        TestPull.of(
                new PullChunk(key, 1, slot, 4_000, VERSION + 1, 0),
                new PullChunk(key, 1, slot, 3_999, VERSION, 0),
                new PullChunk(key, 1, slot, 4_000, VERSION, 0))
            .start(reader.transport, 2, holder.endpoint())
            .await();
    assertEquals(PullFailure.VERSION_MISMATCH, pull.outcome(0).failure());
    assertEquals(VERSION, pull.outcome(0).version());
    assertEquals(PullFailure.LENGTH_MISMATCH, pull.outcome(1).failure());
    pull.assertReceived(2);
    holder.awaitNoPins();
  }

  @Test
  void shouldResumeAtAnotherHolderOfTheSameVersion() throws InterruptedException {
    DataGate gate = new DataGate();
    Peers.Peer reader = peers.start(1, b -> b, gate.inReader());
    Peers.Peer first = peers.start(2);
    Peers.Peer second = peers.start(3);
    int length = 32 << 20;
    ChunkKey key = Payload.key(1);
    first.source.add(key, VERSION, length);
    second.source.add(key, VERSION, length);
    TestPull begun =
        TestPull.of(chunk(reader, key, length)).start(reader.transport, 2, first.endpoint());
    Peers.await(() -> "first bytes", () -> reader.transport.stats().bytesReceived() > 0);
    first.close();
    TestPull.Outcome outcome = begun.await().outcome(0);
    int reached = outcome.bytesReached();
    assertTrue(reached > 0 && reached < length, "reached=" + reached);
    assertEquals(VERSION, outcome.version());
    gate.open();
    PullChunk rest = new PullChunk(key, 1, begun.memory(0), length, VERSION, reached);
    TestPull.of(rest).start(reader.transport, 3, second.endpoint()).await().assertReceived(0);
    assertEquals(length - reached, second.transport.stats().bytesSent());
  }

  @Test
  void shouldWriteNothingAfterCancel() throws InterruptedException {
    DataGate gate = new DataGate();
    Peers.Peer reader = peers.start(1, b -> b, gate.inReader());
    Peers.Peer holder = peers.start(2);
    int length = 32 << 20;
    ChunkKey key = Payload.key(1);
    ChunkKey small = Payload.key(2);
    holder.source.add(key, VERSION, length);
    holder.source.add(small, VERSION, 1_000);
    TestPull pull =
        TestPull.of(chunk(reader, key, length)).start(reader.transport, 2, holder.endpoint());
    Peers.await(() -> "first bytes", () -> reader.transport.stats().bytesReceived() > 0);
    reader.transport.cancel(pull.id);
    assertEquals(PullFailure.CANCELLED, pull.await().outcome(0).failure());
    pull.memory(0).fill((byte) 0xA5);
    gate.open();
    holder.awaitNoPins();
    // A later pull on the same stream arrives behind everything that was still under way.
    TestPull.of(chunk(reader, small, 1_000))
        .start(reader.transport, 2, holder.endpoint())
        .await()
        .assertReceived(0);
    assertTrue(reader.transport.stats().segmentsIgnored() > 0);
    for (long at = 0; at < length; at += 8) {
      assertEquals(
          0xA5A5A5A5A5A5A5A5L,
          pull.memory(0).get(java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED, at));
    }
  }

  @Test
  void shouldFailAtTheDeadlineWhenTheHolderDoesNotAnswer() throws InterruptedException {
    Peers.Peer reader = peers.start(1, Peers::shortSilence, context -> {});
    Peers.Peer holder = peers.start(2);
    ChunkKey key = Payload.key(1);
    holder.source.add(key, VERSION, 1_000);
    holder.source.isHoldingBack = true;
    TestPull pull = TestPull.of(chunk(reader, key, 1_000));
    // Longer than the silence limit: heartbeats show that the holder lives.
    reader.transport.pull(pull.request(2, holder.endpoint(), Duration.ofMillis(1_500)));
    assertEquals(PullFailure.DEADLINE, pull.await().outcome(0).failure());
    holder.source.isHoldingBack = false;
    holder.awaitNoPins();
    Peers.await(() -> "serves", () -> holder.transport.stats().servesInFlight() == 0);
  }

  @Test
  void shouldTakeNoMoreThanTheLimits() throws InterruptedException {
    Peers.Peer reader = peers.start(1, b -> b.limits(3, 1, 4), context -> {});
    Peers.Peer holder = peers.start(2, b -> b.limits(1, 3, 4), context -> {});
    Peers.Peer late = peers.start(3);
    ChunkKey key = Payload.key(1);
    holder.source.add(key, VERSION, 1_000);
    holder.source.isHoldingBack = true;
    TestPull[] pulls = new TestPull[3];
    for (int i = 0; i < pulls.length; i++) {
      pulls[i] =
          TestPull.of(chunk(reader, key, 1_000)).start(reader.transport, 2, holder.endpoint());
    }
    assertFalse(
        reader.transport.pull(
            TestPull.of(chunk(reader, key, 1_000))
                .request(2, holder.endpoint(), Duration.ofSeconds(9))));
    Peers.await(() -> "serves", () -> holder.transport.stats().servesInFlight() == pulls.length);
    TestPull refused =
        TestPull.of(chunk(late, key, 1_000)).start(late.transport, 2, holder.endpoint());
    assertEquals(PullFailure.OVERLOADED, refused.await().outcome(0).failure());
    holder.source.isHoldingBack = false;
    for (TestPull pull : pulls) {
      pull.await().assertReceived(0);
    }
  }

  @Test
  void shouldEndEveryPullWhenTheReaderCloses() throws InterruptedException {
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = peers.start(2);
    ChunkKey key = Payload.key(1);
    holder.source.add(key, VERSION, 1_000);
    holder.source.isHoldingBack = true;
    TestPull pull =
        TestPull.of(chunk(reader, key, 1_000)).start(reader.transport, 2, holder.endpoint());
    Peers.await(() -> "request", () -> holder.source.requests.get() == 1);
    reader.transport.close();
    assertEquals(PullFailure.CANCELLED, pull.await().outcome(0).failure());
    assertFalse(
        reader.transport.pull(
            TestPull.of(chunk(reader, key, 1_000))
                .request(2, holder.endpoint(), Duration.ofSeconds(9))));
    holder.source.isHoldingBack = false;
    holder.awaitNoPins();
  }
}
