package io.kvasir.node.index;

import java.util.PriorityQueue;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.cache.CachePeekMode;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the entries that this member keeps, as a primary or as a backup, for its own lookups and
 * for its peers', on one thread, which also keeps the deadlines of lookups. Only this member's
 * memory is read, so it answers also while the ring agrees on a change, or a member of it hangs.
 */
final class PartReader implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(PartReader.class);

  /** Questions that wait; beyond it they are dropped, and their askers' deadlines pass. */
  private static final int WAITING_MAX = 1_024;

  /** Of them, places that only this member's own lookups may take. */
  private static final int OWN_MIN = WAITING_MAX / 2;

  private static final long STOP_MILLIS_MAX = 10_000;

  private final Supplier<@Nullable IgniteLife> life;
  private final IndexLink link;
  private final ArrayBlockingQueue<Runnable> tasks = new ArrayBlockingQueue<>(WAITING_MAX);
  private final PriorityQueue<Alarm> alarms =
      new PriorityQueue<>((a, b) -> Long.signum(a.atNs() - b.atNs()));
  private final ConcurrentLinkedQueue<Alarm> newAlarms = new ConcurrentLinkedQueue<>();
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

  /** Runs it on the thread, and the alarm in time whatever waits there; false as above. */
  boolean execute(final Alarm alarm, final Runnable task) {
    newAlarms.add(alarm); // before the task, so that its wake-up finds it
    return execute(task);
  }

  /** One task must not end the thread: its lookup is answered at its deadline all the same. */
  private static void guarded(final Runnable task) {
    try {
      task.run();
    } catch (final RuntimeException | Error e) {
      LOG.warn("KVA-0318 the index reader goes on - error={}", e.toString(), e);
    }
  }

  private void takeAlarms() {
    for (Alarm alarm = newAlarms.poll(); alarm != null; alarm = newAlarms.poll()) {
      alarms.add(alarm);
    }
  }

  private void run() {
    try {
      while (!isClosed) {
        final Runnable task = tasks.poll(untilAlarmNs(), TimeUnit.NANOSECONDS);
        if (task != null) {
          guarded(task);
        }
        ring();
      }
    } catch (final InterruptedException _) {
      // Closing.
    }
  }

  private long untilAlarmNs() {
    takeAlarms();
    while (!alarms.isEmpty() && alarms.element().isOver().getAsBoolean()) {
      alarms.remove();
    }
    return alarms.isEmpty() ? Long.MAX_VALUE : alarms.element().atNs() - System.nanoTime();
  }

  private void ring() {
    takeAlarms();
    while (!alarms.isEmpty() && alarms.element().atNs() - System.nanoTime() <= 0) {
      guarded(alarms.remove().task());
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
      final byte[] found = cache.localPeek(key, CachePeekMode.PRIMARY, CachePeekMode.BACKUP);
      // What is no entry may also be too long for an answer.
      return found == null || !IndexEntry.isValid(found) ? null : found;
    } catch (final RuntimeException _) {
      // Its partition is just leaving this member, or Ignite stops.
      return null;
    }
  }

  /** Answers a peer's question. */
  void answer(final long nodeId, final long questionId, final byte[] question) {
    if (!PartCodec.isQuestion(question) || PartCodec.keys(question) == 0) {
      return;
    }
    if (tasks.remainingCapacity() < OWN_MIN) {
      dropped.increment();
    } else {
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
      tasks.forEach(PartReader::guarded);
      takeAlarms();
      alarms.forEach(alarm -> guarded(alarm.task()));
    }
  }
}
