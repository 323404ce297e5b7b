package io.kvasir.transport;

import io.kvasir.placement.ChunkKey;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * A holder with chunks in plain off-heap memory; answers from a thread of its own and counts pins.
 */
final class TestSource implements ChunkSource, AutoCloseable {
  record Chunk(MemorySegment memory, long version, int crc32c) {}

  final Arena arena = Arena.ofShared();
  final AtomicInteger pins = new AtomicInteger();
  final AtomicInteger requests = new AtomicInteger();
  final Map<ChunkKey, Long> doubts = new ConcurrentHashMap<>();
  private final Map<ChunkKey, Chunk> chunks = new ConcurrentHashMap<>();
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().name("test-source").factory());
  volatile boolean isHoldingBack;

  /** Chunks that are answered only once they are no longer named here. */
  final Set<ChunkKey> late = ConcurrentHashMap.newKeySet();

  private final List<Runnable> lateAnswers = new CopyOnWriteArrayList<>();

  Chunk add(ChunkKey key, long version, int lengthBytes) {
    MemorySegment memory = Payload.of(arena, key, version, lengthBytes);
    Chunk chunk = new Chunk(memory, version, Payload.crc32c(memory));
    chunks.put(key, chunk);
    return chunk;
  }

  @Override
  public void requested(ServeRequest request) {
    requests.incrementAndGet();
    thread.execute(() -> answer(request));
  }

  private void answer(ServeRequest request) {
    for (int i = 0; i < request.size(); i++) {
      while (isHoldingBack) {
        LockSupport.parkNanos(1_000_000);
      }
      int chunk = i;
      if (late.contains(request.key(i))) {
        lateAnswers.add(() -> answer(request, chunk));
      } else {
        answer(request, chunk);
      }
    }
  }

  private void answer(ServeRequest request, int index) {
    Chunk chunk = chunks.get(request.key(index));
    if (chunk == null) {
      request.missing(index);
    } else {
      pins.incrementAndGet();
      request.found(index, chunk.memory(), chunk.version(), chunk.crc32c());
    }
  }

  /** Answers what was late, the last one first. */
  void answerLate() {
    late.clear();
    lateAnswers.reversed().forEach(Runnable::run);
    lateAnswers.clear();
  }

  @Override
  public void doubted(ChunkKey key, long version) {
    doubts.put(key, version);
  }

  @Override
  public void finished(ServeRequest request, int chunk) {
    pins.decrementAndGet();
  }

  @Override
  public void close() {
    isHoldingBack = false;
    thread.close();
    arena.close();
  }
}
