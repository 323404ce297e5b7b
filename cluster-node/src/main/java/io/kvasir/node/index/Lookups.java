package io.kvasir.node.index;

import io.kvasir.placement.ChunkKey;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongPredicate;
import java.util.function.Supplier;
import javax.cache.CacheException;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.lang.IgniteFuture;
import org.jspecify.annotations.Nullable;

/**
 * Asks the index with a deadline. A call into Ignite may block or never answer while the ring
 * changes, so it is made by a small pool, and a timer answers "unknown" at the deadline whatever
 * became of it.
 */
final class Lookups implements AutoCloseable {
  private static final int WORKERS = 2;

  /** Lookups inside Ignite, the late ones included; beyond it, the answer is "unknown" at once. */
  private static final int OUTSTANDING_MAX = 256;

  private final Supplier<@Nullable IgniteCache<byte[], byte[]>> cache;
  private final LongPredicate isRemoteMember;
  private final ScheduledExecutorService timer;
  private final ThreadPoolExecutor workers;
  private final AtomicInteger outstanding = new AtomicInteger();

  final LongAdder answered = new LongAdder();
  final LongAdder late = new LongAdder();
  final LongAdder refused = new LongAdder();
  final LongAdder failed = new LongAdder();

  Lookups(
      final Supplier<@Nullable IgniteCache<byte[], byte[]>> cache,
      final LongPredicate isRemoteMember,
      final ScheduledExecutorService timer) {
    this.cache = cache;
    this.isRemoteMember = isRemoteMember;
    this.timer = timer;
    this.workers =
        new ThreadPoolExecutor(
            WORKERS,
            WORKERS,
            0,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(OUTSTANDING_MAX),
            Thread.ofPlatform().name("kvasir-index-lookup-", 0).daemon().factory());
  }

  void lookup(
      final ChunkKey[] keys,
      final long[] groups,
      final long deadlineNs,
      final LookupCallback callback) {
    if (keys.length != groups.length) {
      throw new IllegalArgumentException(
          "KVA-0311 lookup needs one group per key - keys="
              + keys.length
              + " groups="
              + groups.length);
    }
    final Lookup lookup = new Lookup(keys, groups, callback);
    try {
      if (outstanding.incrementAndGet() > OUTSTANDING_MAX) {
        outstanding.decrementAndGet();
        refused.increment();
        timer.execute(lookup::answerUnknown);
        return;
      }
      lookup.deadline =
          timer.schedule(lookup::expire, deadlineNs - System.nanoTime(), TimeUnit.NANOSECONDS);
      workers.execute(lookup::ask);
    } catch (final RejectedExecutionException _) {
      // The index is closing.
      lookup.answerUnknown();
    }
  }

  private final class Lookup {
    private final ChunkKey[] keys;
    private final long[] groups;
    private final LookupCallback callback;
    private final AtomicBoolean done = new AtomicBoolean();
    private volatile @Nullable Future<?> deadline;

    Lookup(final ChunkKey[] keys, final long[] groups, final LookupCallback callback) {
      this.keys = keys;
      this.groups = groups;
      this.callback = callback;
    }

    void ask() {
      final IgniteCache<byte[], byte[]> present = cache.get();
      if (done.get() || present == null) {
        outstanding.decrementAndGet();
        answerUnknown();
        return;
      }
      // Sorted: Ignite locks in the order given, and a hash set of arrays would compare identities.
      final Set<byte[]> wanted = new TreeSet<>(Arrays::compareUnsigned);
      for (int i = 0; i < keys.length; i++) {
        wanted.add(new IndexKey(groups[i], keys[i]).toBytes());
      }
      final IgniteFuture<Map<byte[], byte[]>> future;
      try {
        future = present.getAllAsync(wanted);
      } catch (final IgniteException | CacheException | IllegalStateException _) {
        outstanding.decrementAndGet();
        failed.increment();
        answerUnknown();
        return;
      }
      future.listen(this::completed);
    }

    private void completed(final IgniteFuture<Map<byte[], byte[]>> future) {
      outstanding.decrementAndGet();
      if (done.get()) {
        return;
      }
      try {
        answer(select(future.get()), true);
      } catch (final IgniteException | CacheException | IllegalStateException _) {
        failed.increment();
        answerUnknown();
      }
    }

    private @Nullable Holders[] select(final Map<byte[], byte[]> found) {
      final Map<IndexKey, byte[]> byKey = HashMap.newHashMap(found.size());
      found.forEach((key, entry) -> byKey.put(IndexKey.fromBytes(key), entry));
      final @Nullable Holders[] perKey = new Holders[keys.length];
      for (int i = 0; i < keys.length; i++) {
        perKey[i] = reachable(byKey.get(new IndexKey(groups[i], keys[i])));
      }
      return perKey;
    }

    /** The holders one can pull from now: others, and present. */
    private @Nullable Holders reachable(final byte @Nullable [] entry) {
      if (entry == null || !IndexEntry.isValid(entry)) {
        return null;
      }
      final int count = IndexEntry.count(entry);
      final long[] nodeIds = new long[count];
      final long[] versions = new long[count];
      int kept = 0;
      for (int i = 0; i < count; i++) {
        final long nodeId = IndexEntry.nodeId(entry, i);
        if (isRemoteMember.test(nodeId)) {
          nodeIds[kept] = nodeId;
          versions[kept++] = IndexEntry.version(entry, i);
        }
      }
      return kept == 0
          ? null
          : new Holders(
              IndexEntry.lengthBytes(entry),
              Arrays.copyOf(nodeIds, kept),
              Arrays.copyOf(versions, kept));
    }

    void expire() {
      if (!done.get()) {
        late.increment();
        answerUnknown();
      }
    }

    void answerUnknown() {
      answer(new Holders[keys.length], false);
    }

    private void answer(final @Nullable Holders[] perKey, final boolean inTime) {
      if (done.compareAndSet(false, true)) {
        final Future<?> pending = deadline;
        if (pending != null) {
          pending.cancel(false);
        }
        answered.increment();
        callback.found(perKey, inTime);
      }
    }
  }

  @Override
  public void close() {
    workers.shutdownNow();
  }
}
