package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.placement.ChunkKey;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
final class SharesTest {
  private static final int SEGMENT_BYTES = 65_408;
  private static final int CHUNK_BYTES = 4 << 20;
  private static final int CHUNKS = 4;
  private final Peers peers = new Peers();
  private final Shares shares =
      new Shares(TransportConfig.builder(1, "c", Path.of("/x")).build(), new Counters(), 0);
  private long nowNs;

  @AfterEach
  void closePeers() throws IOException {
    peers.close();
  }

  @Test
  void shouldSendFourToOneWhenBothHaveSomething() {
    long[] sent = turns(10_000, true, true);
    assertEquals(4.0, (double) sent[0] / sent[1], 0.01);
    assertTrue(sent[1] > 0);
  }

  @Test
  void shouldGiveAllToOneWhenTheOtherHasNothing() {
    assertEquals(1_000L * SEGMENT_BYTES, turns(1_000, false, true)[1]);
    assertEquals(1_000L * SEGMENT_BYTES, turns(1_000, true, false)[0]);
    // Neither owes the other for having been alone.
    assertEquals(4.0, ratio(turns(1_000, true, true)), 0.05);
  }

  @Test
  void shouldNotWaitWhenTheOtherOneIsStuck() {
    for (int turn = 0; turn < 100; turn++) {
      nextTurn();
      shares.mayGo(TrafficClass.DEMAND); // and then its stream takes nothing
      assertTrue(shares.mayGo(TrafficClass.HANDOFF), "turn=" + turn);
      shares.went(TrafficClass.HANDOFF, SEGMENT_BYTES);
    }
  }

  @Test
  void shouldSendFourToOneWhenOneOfTwoDemandStreamsIsStuck() {
    long[] sent = new long[2];
    for (int turn = 0; turn < 10_000; turn++) {
      nextTurn();
      sent[0] += offer(TrafficClass.DEMAND);
      shares.mayGo(TrafficClass.DEMAND); // to another peer, whose stream takes nothing
      sent[1] += offer(TrafficClass.HANDOFF);
    }
    assertEquals(4.0, ratio(sent), 0.01);
  }

  @Test
  void shouldKeepTheTurnOfAClassWhenTheStreamTakesNothing() {
    Turns turns = new Turns();
    long[] sent = new long[2];
    for (int turn = 0; turn < 10_000; turn++) {
      TrafficClass first = turns.first();
      if (turn % 3 == 0) {
        assertEquals(first, turns.first());
      } else {
        turns.went(first, SEGMENT_BYTES);
        sent[first == TrafficClass.DEMAND ? 0 : 1] += SEGMENT_BYTES;
      }
    }
    assertEquals(4.0, ratio(sent), 0.01);
  }

  @Test
  void shouldSaveUpNothingWhenAClassHasNothingToSend() {
    Turns turns = new Turns();
    for (int turn = 0; turn < 1_000; turn++) {
      if (turns.first() == TrafficClass.DEMAND) {
        turns.passed(TrafficClass.DEMAND);
      }
      turns.went(TrafficClass.HANDOFF, SEGMENT_BYTES);
    }
    turns.went(TrafficClass.DEMAND, 5 * SEGMENT_BYTES);
    assertEquals(TrafficClass.HANDOFF, turns.first());
  }

  @Test
  void shouldServeDemandPullsWhenHandoffsHaveTakenAllTheirPlaces() throws InterruptedException {
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = peers.start(2, b -> b.limits(4, 2, 8), context -> {});
    ChunkKey waiting = Payload.key(1);
    ChunkKey present = Payload.key(2);
    holder.source.add(waiting, 7, 1_000);
    holder.source.add(present, 7, 1_000);
    holder.source.late.add(waiting);
    List<TestPull> handoffs = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      handoffs.add(start(reader, holder, TrafficClass.HANDOFF, List.of(waiting), 1_000));
    }
    handoffs.getLast().await();
    assertEquals(PullFailure.OVERLOADED, handoffs.getLast().outcome(0).failure());
    start(reader, holder, TrafficClass.DEMAND, List.of(present), 1_000).await().assertReceived(0);
    assertFalse(handoffs.getFirst().isEnded());
    holder.source.answerLate();
    handoffs.get(0).await().assertReceived(0);
    handoffs.get(1).await().assertReceived(0);
  }

  @Test
  void shouldStartDemandPullsWhenHandoffsHaveTakenAllTheirPlaces() throws InterruptedException {
    Peers.Peer reader = peers.start(1, b -> b.limits(1, 8, 8), context -> {});
    Peers.Peer holder = peers.start(2);
    ChunkKey waiting = Payload.key(1);
    ChunkKey present = Payload.key(2);
    holder.source.add(waiting, 7, 1_000);
    holder.source.add(present, 7, 1_000);
    holder.source.late.add(waiting);
    TestPull handoff = start(reader, holder, TrafficClass.HANDOFF, List.of(waiting), 1_000);
    TestPull second = TestPull.of(reader.source.arena, List.of(waiting), 1_000);
    assertFalse(
        reader.transport.pull(
            second.request(TrafficClass.HANDOFF, 2, holder.endpoint(), Duration.ofSeconds(60))));
    start(reader, holder, TrafficClass.DEMAND, List.of(present), 1_000).await().assertReceived(0);
    holder.source.answerLate();
    handoff.await().assertReceived(0);
  }

  @Test
  void shouldFavourDemandPullsAndStarveNobodyWhenBothAreLong() throws InterruptedException {
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = peers.start(2);
    List<ChunkKey> keys = new ArrayList<>();
    for (int i = 0; i < CHUNKS; i++) {
      keys.add(Payload.key(i));
      holder.source.add(keys.getLast(), 7, CHUNK_BYTES);
    }
    List<ChunkKey> many = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      many.addAll(keys);
    }
    // Long, and prepared before: until the first bytes come the hand-off has the link for itself.
    TestPull demand = TestPull.of(reader.source.arena, many, CHUNK_BYTES);
    TestPull handoff = start(reader, holder, TrafficClass.HANDOFF, many, CHUNK_BYTES);
    Peers.await(
        () -> "hand-off under way", () -> reader.transport.stats().bytesReceived() > CHUNK_BYTES);
    long before = reader.transport.stats().bytesReceived();
    start(reader, holder, TrafficClass.DEMAND, demand).await();
    long demandBytes = (long) many.size() * CHUNK_BYTES;
    long handoffBytes = reader.transport.stats().bytesReceived() - before - demandBytes;
    System.out.println("beside demandBytes=" + demandBytes + " handoffBytes=" + handoffBytes);
    assertTrue(handoffBytes > demandBytes / 16, "starved, handoffBytes=" + handoffBytes);
    assertTrue(handoffBytes < demandBytes, "not favoured, handoffBytes=" + handoffBytes);
    handoff.await();
    for (int i = 0; i < many.size(); i++) {
      handoff.assertReceived(i);
    }
  }

  private static TestPull start(
      Peers.Peer reader,
      Peers.Peer holder,
      TrafficClass trafficClass,
      List<ChunkKey> keys,
      int lengthBytes) {
    TestPull pull = TestPull.of(reader.source.arena, keys, lengthBytes);
    return start(reader, holder, trafficClass, pull);
  }

  private static TestPull start(
      Peers.Peer reader, Peers.Peer holder, TrafficClass trafficClass, TestPull pull) {
    assertTrue(
        reader.transport.pull(
            pull.request(trafficClass, 2, holder.endpoint(), Duration.ofSeconds(60))));
    return pull;
  }

  private long[] turns(int count, boolean demand, boolean handoff) {
    long[] sent = new long[2];
    for (int turn = 0; turn < count; turn++) {
      nextTurn();
      sent[0] += demand ? offer(TrafficClass.DEMAND) : 0;
      sent[1] += handoff ? offer(TrafficClass.HANDOFF) : 0;
    }
    return sent;
  }

  private void nextTurn() {
    nowNs += 10_000;
    shares.beginTurn(nowNs);
  }

  private int offer(TrafficClass trafficClass) {
    if (!shares.mayGo(trafficClass)) {
      return 0;
    }
    shares.went(trafficClass, SEGMENT_BYTES);
    return SEGMENT_BYTES;
  }

  private static double ratio(long[] sent) {
    return (double) sent[0] / sent[1];
  }
}
