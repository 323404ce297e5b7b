package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.placement.ChunkKey;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class RateCapTest {
  private static final long RATE = 4 << 20;
  private static final int CHUNK_BYTES = 1 << 20;
  private final Peers peers = new Peers();

  @AfterEach
  void closePeers() throws IOException {
    peers.close();
  }

  @Test
  void shouldLetEverythingGoWhenThereIsNoCap() {
    RateCap cap = new RateCap(0, 5);
    cap.sent(Integer.MAX_VALUE);
    assertTrue(cap.isOpen());
  }

  @Test
  void shouldKeepTheRateWhenSegmentsAreLongerThanTheBucket() {
    long nowNs = Long.MAX_VALUE - 100_000_000; // it wraps on the way
    RateCap cap = new RateCap(RATE, nowNs);
    long sentBytes = 0;
    for (int turn = 0; turn < 100_000; turn++) {
      nowNs += 10_000;
      cap.fill(nowNs);
      if (cap.isOpen()) {
        cap.sent(65_472);
        sentBytes += 65_472;
      }
    }
    assertTrue(Math.abs(RATE - sentBytes) <= 2 * 65_472, "bytes of one second=" + sentBytes);
  }

  @Test
  void shouldNotGatherMoreThanAMillisecondWhenNothingIsSent() {
    RateCap cap = new RateCap(RATE, 0);
    cap.fill(Duration.ofHours(1).toNanos());
    cap.sent((int) (RATE / 1_000) + 1);
    assertFalse(cap.isOpen());
  }

  @Test
  void shouldHoldBackOnlyItsClassWhenOneIsCapped() throws InterruptedException {
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = peers.start(2, b -> b.caps(RATE, 0), context -> {});
    ChunkKey key = Payload.key(1);
    holder.source.add(key, 7, CHUNK_BYTES);
    long startNs = System.nanoTime();
    TestPull capped = pull(reader, key);
    reader.transport.pull(
        capped.request(TrafficClass.DEMAND, 2, holder.endpoint(), Duration.ofSeconds(60)));
    TestPull free = pull(reader, key);
    reader.transport.pull(
        free.request(TrafficClass.HANDOFF, 2, holder.endpoint(), Duration.ofSeconds(60)));
    free.await().assertReceived(0);
    assertFalse(capped.isEnded());
    capped.await().assertReceived(0);
    double seconds = (System.nanoTime() - startNs) / 1e9;
    assertTrue(seconds > 0.9 * CHUNK_BYTES / RATE, "seconds=" + seconds);
  }

  private static TestPull pull(Peers.Peer reader, ChunkKey key) {
    return TestPull.of(reader.source.arena, List.of(key), CHUNK_BYTES);
  }
}
