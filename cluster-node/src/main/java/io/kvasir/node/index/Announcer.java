package io.kvasir.node.index;

import java.util.Arrays;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.agrona.concurrent.ManyToOneConcurrentArrayQueue;
import org.apache.ignite.IgniteCache;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries this node's announcements and withdrawals to the index, in order, in batches, one batch
 * at a time, on one thread. Producers never wait: a full queue drops and remembers that the node
 * must announce everything again.
 */
final class Announcer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Announcer.class);
  static final int QUEUE_MAX = 1 << 16;

  private static final int BATCH_MAX = 1_000;

  /** How long a change waits for others to share its batch when a committer awaits it. */
  private static final long LINGER_AWAITED_NS = TimeUnit.MILLISECONDS.toNanos(1);

  /**
   * The same when nobody awaits it: chunks of a pull come one by one, and a batch for each costs
   * both nodes more than the chunk.
   */
  private static final long LINGER_NS = TimeUnit.MILLISECONDS.toNanos(10);

  /**
   * A committer that awaits the index is told "not in time" after this long; the entry stays
   * queued.
   */
  private static final long ANSWER_WITHIN_NS = TimeUnit.MILLISECONDS.toNanos(500);

  private static final long ATTEMPT_MAX_MS = 3_000;
  private static final long GIVE_UP_NS = TimeUnit.SECONDS.toNanos(15);
  private static final long BACKOFF_MIN_MS = 5;
  private static final long BACKOFF_MAX_MS = 500;

  /** What wakes the thread. */
  private enum Sleep {
    /** It is awake. */
    NONE,
    /** It has nothing to do: any change. */
    IDLE,
    /** It waits for company for changes that nobody awaits: an awaited change. */
    LINGERING
  }

  /** One queued change; answers its callback once, from whichever thread is first. */
  private static final class Change {
    final byte[] key;
    final HolderUpdate update;
    final long queuedNs;
    private final @Nullable AnnounceCallback callback;
    private final AtomicBoolean answered;

    Change(
        final byte[] key,
        final HolderUpdate update,
        final long queuedNs,
        final @Nullable AnnounceCallback callback) {
      this.key = key;
      this.update = update;
      this.queuedNs = queuedNs;
      this.callback = callback;
      this.answered = new AtomicBoolean(callback == null);
    }

    boolean isAwaited() {
      return callback != null;
    }

    boolean answered() {
      return answered.get();
    }

    void answer(final boolean indexed) {
      if (answered.compareAndSet(false, true) && callback != null) {
        callback.announced(indexed);
      }
    }
  }

  private final Supplier<@Nullable IgniteCache<byte[], byte[]>> cache;
  private final ManyToOneConcurrentArrayQueue<Change> queue =
      new ManyToOneConcurrentArrayQueue<>(QUEUE_MAX);
  private final Queue<Change> awaited = new ConcurrentLinkedQueue<>();
  private final TreeMap<byte[], HolderUpdate> batch = new TreeMap<>(Arrays::compareUnsigned);
  private final Change[] inBatch = new Change[BATCH_MAX];
  private final AtomicBoolean reannounce = new AtomicBoolean();
  private final Thread thread;
  private @Nullable Change carriedOver;
  private volatile Sleep sleep = Sleep.NONE;
  private volatile boolean closed;

  final LongAdder indexed = new LongAdder();
  final LongAdder batches = new LongAdder();
  final LongAdder retries = new LongAdder();
  final LongAdder dropped = new LongAdder();

  Announcer(final Supplier<@Nullable IgniteCache<byte[], byte[]>> cache) {
    this.cache = cache;
    this.thread = Thread.ofPlatform().name("kvasir-index-announcer").daemon().unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  boolean offer(
      final byte[] key, final HolderUpdate update, final @Nullable AnnounceCallback callback) {
    final Change change = new Change(key, update, System.nanoTime(), callback);
    if (closed || !queue.offer(change)) {
      dropped.increment();
      return false;
    }
    if (callback != null) {
      awaited.add(change);
    }
    final Sleep present = sleep;
    if (present == Sleep.IDLE || (present == Sleep.LINGERING && callback != null)) {
      LockSupport.unpark(thread);
    }
    return true;
  }

  int room() {
    return QUEUE_MAX - queue.size();
  }

  /** Something that should be in the index was dropped. */
  void markIncomplete() {
    reannounce.set(true);
  }

  /**
   * True once after {@link #markIncomplete()}, as soon as there is room to announce everything
   * again.
   */
  boolean takeIncomplete() {
    return reannounce.get() && room() > QUEUE_MAX / 2 && reannounce.compareAndSet(true, false);
  }

  /**
   * Tells those that waited too long. Called every few milliseconds from the timer, so that a
   * hanging Ignite cannot delay it.
   */
  void answerOverdue() {
    final long nowNs = System.nanoTime();
    for (Change oldest = awaited.peek(); oldest != null; oldest = awaited.peek()) {
      if (!oldest.answered()) {
        if (nowNs - oldest.queuedNs < ANSWER_WITHIN_NS) {
          return;
        }
        oldest.answer(false);
      }
      awaited.poll();
    }
  }

  private void run() {
    while (!closed) {
      final int count = fillBatch();
      if (count == 0) {
        waitForWork();
      } else {
        final boolean done = send();
        for (int i = 0; i < count; i++) {
          inBatch[i].answer(done);
        }
        batch.clear();
        Arrays.fill(inBatch, 0, count, null);
        if (done) {
          indexed.add(count);
        } else {
          dropped.add(count);
          markIncomplete();
        }
      }
    }
  }

  private void waitForWork() {
    sleep = Sleep.IDLE;
    if (queue.isEmpty() && !closed) {
      LockSupport.park(this);
    }
    sleep = Sleep.NONE;
  }

  private void linger(final boolean isAwaited, final long leftNs) {
    sleep = isAwaited ? Sleep.NONE : Sleep.LINGERING;
    if (queue.isEmpty() && !closed) {
      LockSupport.parkNanos(this, leftNs);
    }
    sleep = Sleep.NONE;
  }

  /**
   * Takes changes until the batch is full, one of them has lingered long enough, or a key comes a
   * second time: its changes must stay in order.
   */
  private int fillBatch() {
    int count = 0;
    boolean isAwaited = false;
    long untilNs = 0;
    while (count < BATCH_MAX) {
      final Change change = carriedOver != null ? carriedOver : queue.poll();
      carriedOver = null;
      if (change == null) {
        final long leftNs = untilNs - System.nanoTime();
        if (count == 0 || leftNs <= 0 || closed) {
          return count;
        }
        linger(isAwaited, leftNs);
        continue;
      }
      if (batch.putIfAbsent(change.key, change.update) != null) {
        carriedOver = change;
        return count;
      }
      if (count == 0 || (change.isAwaited() && !isAwaited)) {
        isAwaited = change.isAwaited();
        untilNs = System.nanoTime() + (isAwaited ? LINGER_AWAITED_NS : LINGER_NS);
      }
      inBatch[count++] = change;
    }
    return count;
  }

  /**
   * Repeats until it worked: the updates are idempotent. Gives up when the index is away for long;
   * the rejoin announces everything anyway.
   */
  private boolean send() {
    final long startNs = System.nanoTime();
    long backoffMs = BACKOFF_MIN_MS;
    while (!closed && System.nanoTime() - startNs < GIVE_UP_NS) {
      final IgniteCache<byte[], byte[]> present = cache.get();
      if (present != null) {
        try {
          present.invokeAllAsync(batch).get(ATTEMPT_MAX_MS);
          batches.increment();
          return true;
        } catch (final RuntimeException e) {
          // Topology changes, time-outs and a stopping Ignite all pass, or end in giving up. If
          // this thread ended, nothing would be announced any more.
          retries.increment();
          LOG.debug("batch of {} not indexed, trying again", batch.size(), e);
        }
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(backoffMs));
      backoffMs = Math.min(2 * backoffMs, BACKOFF_MAX_MS);
    }
    return false;
  }

  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(thread);
    try {
      thread.join(ATTEMPT_MAX_MS);
    } catch (final InterruptedException _) {
      Thread.currentThread().interrupt();
    }
    for (Change change = awaited.poll(); change != null; change = awaited.poll()) {
      change.answer(false);
    }
  }
}
