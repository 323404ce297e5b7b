package io.kvasir.benchmarks.reference;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Verifies chunks on a worker of its own, as the node does, so that the checksum of one chunk runs
 * beside the transfer of the next. Submit from one thread.
 */
final class ChunkVerifier implements AutoCloseable {
  private static final Task STOP = new Task(null, 0);

  /** A chunk to verify, or the order to stop. */
  private record Task(@Nullable MemorySegment chunk, int crc32c) {}

  private final BlockingQueue<Task> tasks = new ArrayBlockingQueue<>(1024);
  private final AtomicInteger verified = new AtomicInteger();
  private final AtomicInteger wrong = new AtomicInteger();
  private final Thread worker =
      Thread.ofPlatform().name("bench-checksum").daemon().start(this::work);

  void reset() {
    verified.set(0);
    wrong.set(0);
  }

  void submit(MemorySegment chunk, int crc32c) {
    tasks.add(new Task(chunk, crc32c));
  }

  /** Counts a chunk that was verified, here or by whoever received it. */
  void verified(boolean isRight) {
    if (!isRight) {
      wrong.incrementAndGet();
    }
    verified.incrementAndGet();
  }

  int verified() {
    return verified.get();
  }

  /** Fails loudly: a reference that delivers wrong bytes measured nothing. */
  void requireAllRight() {
    if (wrong.get() > 0) {
      throw new IllegalStateException(
          "KVA-0651 reference delivered wrong bytes - chunks=" + wrong.get());
    }
  }

  private void work() {
    CRC32C crc = new CRC32C();
    try {
      while (true) {
        Task task = tasks.take();
        MemorySegment chunk = task.chunk();
        if (chunk == null) {
          return;
        }
        crc.reset();
        crc.update(chunk.asByteBuffer());
        verified((int) crc.getValue() == task.crc32c());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    tasks.add(STOP);
    try {
      if (!worker.join(Duration.ofSeconds(5))) {
        worker.interrupt();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  static long deadlineNs() {
    return System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
  }

  static void checkDeadline(long deadlineNs, String what) {
    if (System.nanoTime() - deadlineNs > 0) {
      throw new IllegalStateException(
          "KVA-0652 reference timed out - waiting for=" + what + " (limit=60 s)");
    }
  }
}
