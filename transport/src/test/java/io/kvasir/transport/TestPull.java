package io.kvasir.transport;

import io.kvasir.placement.ChunkKey;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** A pull, where its chunks go, and how each ended. */
final class TestPull implements PullListener {
  /** How one chunk ended; a null failure means that it was received. */
  record Outcome(@Nullable PullFailure failure, long version, int crc32c, int bytesReached) {}

  private static final AtomicLong NEXT_ID = new AtomicLong(1);

  final long id = NEXT_ID.getAndIncrement();
  final List<PullChunk> chunks = new ArrayList<>();
  private final @Nullable Outcome[] outcomes;
  private final CountDownLatch left;
  private volatile boolean isDoubled;

  private TestPull(int size) {
    outcomes = new Outcome[size];
    left = new CountDownLatch(size);
  }

  static TestPull of(Arena arena, List<ChunkKey> keys, int lengthBytes) {
    TestPull pull = new TestPull(keys.size());
    for (ChunkKey key : keys) {
      pull.chunks.add(new PullChunk(key, 7, arena.allocate(lengthBytes, 64), lengthBytes, 0, 0));
    }
    return pull;
  }

  static TestPull of(PullChunk... chunks) {
    TestPull pull = new TestPull(chunks.length);
    pull.chunks.addAll(List.of(chunks));
    return pull;
  }

  PullRequest request(long peer, String endpoint, Duration within) {
    return request(TrafficClass.DEMAND, peer, endpoint, within);
  }

  PullRequest request(TrafficClass trafficClass, long peer, String endpoint, Duration within) {
    return new PullRequest(
        trafficClass, id, peer, endpoint, chunks, 5, 0, System.nanoTime() + within.toNanos(), this);
  }

  /** Starts at a peer, with a deadline that a test never reaches. */
  TestPull start(Transport reader, long peer, String endpoint) {
    if (!reader.pull(request(peer, endpoint, Duration.ofSeconds(60)))) {
      throw new AssertionError("pull not taken");
    }
    return this;
  }

  @Override
  public void received(int chunk, long version, int crc32c) {
    end(chunk, new Outcome(null, version, crc32c, chunks.get(chunk).lengthBytes()));
  }

  @Override
  public void failed(int chunk, PullFailure reason, long version, int bytesReached) {
    end(chunk, new Outcome(reason, version, 0, bytesReached));
  }

  private void end(int chunk, Outcome outcome) {
    isDoubled |= outcomes[chunk] != null;
    outcomes[chunk] = outcome;
    left.countDown();
  }

  TestPull await() throws InterruptedException {
    if (!left.await(60, TimeUnit.SECONDS)) {
      throw new AssertionError("pull did not end, chunks left=" + left.getCount());
    }
    if (isDoubled) {
      throw new AssertionError("a chunk ended twice");
    }
    return this;
  }

  boolean isEnded() {
    return left.getCount() == 0;
  }

  Outcome outcome(int chunk) {
    Outcome outcome = outcomes[chunk];
    if (outcome == null) {
      throw new AssertionError("chunk has not ended: " + chunk);
    }
    return outcome;
  }

  MemorySegment memory(int chunk) {
    return chunks.get(chunk).destination();
  }

  /** Fails unless the chunk arrived whole with the right bytes. */
  void assertReceived(int chunk) {
    Outcome outcome = outcome(chunk);
    if (outcome.failure() != null) {
      throw new AssertionError("chunk " + chunk + " failed: " + outcome);
    }
    PullChunk wanted = chunks.get(chunk);
    MemorySegment bytes = wanted.destination().asSlice(0, wanted.lengthBytes());
    long wrong = Payload.mismatch(wanted.key(), outcome.version(), bytes, bytes.byteSize());
    if (wrong >= 0 || Payload.crc32c(bytes) != outcome.crc32c()) {
      throw new AssertionError("chunk " + chunk + " has wrong bytes from offset " + wrong);
    }
  }
}
