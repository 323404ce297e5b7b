package io.kvasir.transport;

import io.kvasir.placement.ChunkKey;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
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
      Chunk chunk = chunks.get(request.key(i));
      if (chunk == null) {
        request.missing(i);
      } else {
        pins.incrementAndGet();
        request.found(i, chunk.memory(), chunk.version(), chunk.crc32c());
      }
    }
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
