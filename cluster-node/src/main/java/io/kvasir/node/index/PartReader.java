package io.kvasir.node.index;

import java.util.PriorityQueue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.cache.CachePeekMode;
import org.jspecify.annotations.Nullable;

/**
 * Reads the entries that this member keeps, as a primary or as a backup, for its own lookups and
 * for its peers', on one thread, which also keeps the deadlines of lookups. Only this member's
 * memory is read, so it answers also while the ring agrees on a change, or a member of it hangs.
 */
final class PartReader implements AutoCloseable {
  /** Questions that wait; beyond it they are dropped, and their askers' deadlines pass. */
  private static final int WAITING_MAX = 1_024;

  private static final long STOP_MILLIS_MAX = 10_000;

  private final Supplier<@Nullable IgniteLife> life;
  private final IndexLink link;
  private final ArrayBlockingQueue<Runnable> tasks = new ArrayBlockingQueue<>(WAITING_MAX);
  private final PriorityQueue<Alarm> alarms =
      new PriorityQueue<>((a, b) -> Long.signum(a.atNs() - b.atNs()));
  private final Thread thread;
  private volatile boolean isClosed;
  final LongAdder answered = new LongAdder();
  final LongAdder dropped = new LongAdder();

  /** What is to be done at a time, if it is not over by then. */
  record Alarm(long atNs, BooleanSupplier isOver, Runnable task) {}

  PartReader(final Supplier<@Nullable IgniteLife> life, final IndexLink link) {
    this.life = life;
    this.link = link;
    this.thread = Thread.ofPlatform().name("kvasir-index-reader").daemon().start(this::run);
  }

  /** Runs it on the thread; false if too much waits there. */
  boolean execute(final Runnable task) {
    final boolean isTaken = !isClosed && tasks.offer(task);
    if (!isTaken) {
      dropped.increment();
    }
    return isTaken;
  }

  /** Sets an alarm. The thread's own. */
  void at(final Alarm alarm) {
    alarms.add(alarm);
  }

  private void run() {
    try {
      while (!isClosed) {
        final Runnable task = tasks.poll(untilAlarmNs(), TimeUnit.NANOSECONDS);
        if (task != null) {
          task.run();
        }
        ring();
      }
    } catch (final InterruptedException _) {
      // Closing.
    }
  }

  private long untilAlarmNs() {
    while (!alarms.isEmpty() && alarms.element().isOver().getAsBoolean()) {
      alarms.remove();
    }
    return alarms.isEmpty() ? Long.MAX_VALUE : alarms.element().atNs() - System.nanoTime();
  }

  private void ring() {
    while (!alarms.isEmpty() && alarms.element().atNs() - System.nanoTime() <= 0) {
      alarms.remove().task().run();
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

  /** Ends the thread, and rings what alarms are left. */
  @Override
  public void close() {
    isClosed = true;
    thread.interrupt();
    try {
      thread.join(STOP_MILLIS_MAX);
    } catch (final InterruptedException _) {
      Thread.currentThread().interrupt();
    }
    if (!thread.isAlive()) {
      tasks.forEach(Runnable::run);
      alarms.forEach(alarm -> alarm.task().run());
    }
  }
}
