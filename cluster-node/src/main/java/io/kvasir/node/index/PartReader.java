package io.kvasir.node.index;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.cache.CachePeekMode;
import org.jspecify.annotations.Nullable;

/**
 * Reads the entries that this member keeps, as a primary or as a backup, for its own lookups and
 * for its peers', on one thread. Only this member's memory is read, so it answers also while the
 * ring agrees on a change, or a member of it hangs.
 */
final class PartReader implements AutoCloseable {
  /** Questions that wait; beyond it they are dropped, and their askers' deadlines pass. */
  private static final int WAITING_MAX = 1_024;

  private static final long STOP_SECONDS_MAX = 10;

  private final Supplier<@Nullable IgniteLife> life;
  private final IndexLink link;
  private final ThreadPoolExecutor thread;
  final LongAdder answered = new LongAdder();
  final LongAdder dropped = new LongAdder();

  PartReader(final Supplier<@Nullable IgniteLife> life, final IndexLink link) {
    this.life = life;
    this.link = link;
    this.thread =
        new ThreadPoolExecutor(
            1,
            1,
            0,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(WAITING_MAX),
            Thread.ofPlatform().name("kvasir-index-reader").daemon().factory());
  }

  /** Runs it on the thread; false if too much waits there. */
  boolean execute(final Runnable task) {
    try {
      thread.execute(task);
      return true;
    } catch (final RejectedExecutionException _) {
      dropped.increment();
      return false;
    }
  }

  /** The entry that this member keeps, or null. The thread's own. */
  byte @Nullable [] entry(final byte[] key) {
    final IgniteLife present = life.get();
    if (present == null) {
      return null;
    }
    final IgniteCache<byte[], byte[]> cache = present.cache();
    try {
      return cache.localPeek(key, CachePeekMode.PRIMARY, CachePeekMode.BACKUP);
    } catch (final RuntimeException _) {
      // Its partition is just leaving this member, or Ignite stops.
      return null;
    }
  }

  /** Answers a peer's question. */
  void answer(final long nodeId, final long questionId, final byte[] question) {
    if (PartCodec.isQuestion(question) && PartCodec.keys(question) > 0) {
      execute(() -> read(nodeId, questionId, question));
    }
  }

  private void read(final long nodeId, final long questionId, final byte[] question) {
    if (life.get() == null) {
      return; // cut off, it knows nothing; the asker turns to the backup
    }
    PartCodec.PartWriter part = new PartCodec.PartWriter(0, link.bytesMax());
    for (int i = 0; i < PartCodec.keys(question); i++) {
      final byte[] entry = entry(PartCodec.key(question, i));
      if (!part.add(entry)) {
        link.answer(nodeId, questionId, part.toBytes());
        part = new PartCodec.PartWriter(i, link.bytesMax());
        part.add(entry);
      }
    }
    link.answer(nodeId, questionId, part.toBytes());
    answered.increment();
  }

  @Override
  public void close() {
    thread.shutdownNow();
    try {
      thread.awaitTermination(STOP_SECONDS_MAX, TimeUnit.SECONDS);
    } catch (final InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }
}
