package io.kvasir.node.index;

import io.kvasir.placement.ChunkKey;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongPredicate;
import java.util.function.Supplier;
import org.apache.ignite.lang.IgniteFuture;
import org.jspecify.annotations.Nullable;

/**
 * Asks the index with a deadline. A call into Ignite may block or never answer while the ring
 * changes, so it is made by a virtual thread, and at the deadline a timer answers with what is
 * known then.
 */
final class Lookups {
  /** Lookups being handed to Ignite; beyond it, the answer is "unknown" at once. */
  private static final int STARTING_MAX = 256;

  /**
   * Parts inside Ignite for one owner, the late ones included; beyond it, the owner's keys are
   * unknown at once. An owner that hangs is noticed by Ignite after ten seconds only.
   */
  private static final int OPEN_PER_OWNER_MAX = 128;

  private final Supplier<@Nullable IgniteLife> life;
  private final LongPredicate isRemoteMember;
  private final ScheduledExecutorService timer;
  private final AtomicInteger starting = new AtomicInteger();
  private final Map<UUID, Integer> openByOwner = new ConcurrentHashMap<>();

  final LongAdder answered = new LongAdder();
  final LongAdder late = new LongAdder();
  final LongAdder refused = new LongAdder();
  final LongAdder failed = new LongAdder();

  Lookups(
      final Supplier<@Nullable IgniteLife> life,
      final LongPredicate isRemoteMember,
      final ScheduledExecutorService timer) {
    this.life = life;
    this.isRemoteMember = isRemoteMember;
    this.timer = timer;
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
    if (starting.incrementAndGet() > STARTING_MAX) {
      starting.decrementAndGet();
      refused.increment();
      lookup.answerUnknown();
      return;
    }
    try {
      lookup.deadline =
          timer.schedule(lookup::expire, deadlineNs - System.nanoTime(), TimeUnit.NANOSECONDS);
    } catch (final RejectedExecutionException _) {
      // The index is closing.
      starting.decrementAndGet();
      lookup.answerUnknown();
      return;
    }
    inThreadOfItsOwn(lookup::start);
  }

  /** A call may block until a connection to the owner stands; it holds up no other part. */
  private static void inThreadOfItsOwn(final Runnable call) {
    Thread.ofVirtual().name("kvasir-index-lookup").start(call);
  }

  private boolean admit(final UUID owner) {
    if (openByOwner.merge(owner, 1, Integer::sum) <= OPEN_PER_OWNER_MAX) {
      return true;
    }
    leave(owner);
    refused.increment();
    return false;
  }

  private void leave(final UUID owner) {
    openByOwner.computeIfPresent(owner, (_, open) -> open == 1 ? null : open - 1);
  }

  /** What one owner is asked: indexes into the keys. */
  private record Part(UUID owner, BitSet indexes) {}

  /** One question of a reader: a part for each owner, and an answer of what came in time. */
  private final class Lookup {
    private final ChunkKey[] keys;
    private final long[] groups;
    private final LookupCallback callback;
    private final Object lock = new Object();
    private volatile @Nullable Future<?> deadline;

    /** Guarded by the lock until it is answered, the callback's from then on. */
    private final @Nullable Holders[] perKey;

    private int openParts;
    private boolean isWhole = true;
    private volatile boolean isAnswered;

    Lookup(final ChunkKey[] keys, final long[] groups, final LookupCallback callback) {
      this.keys = keys;
      this.groups = groups;
      this.callback = callback;
      this.perKey = new @Nullable Holders[keys.length];
    }

    void start() {
      try {
        ask();
      } finally {
        starting.decrementAndGet();
      }
    }

    /** Sends each owner its part: one that is slow or gone keeps only its own keys unknown. */
    private void ask() {
      final IgniteLife present = life.get();
      if (isAnswered || present == null || keys.length == 0) {
        answerUnknown();
        return;
      }
      final List<Part> parts;
      try {
        parts = partsByOwner(present);
      } catch (final RuntimeException _) {
        failed.increment();
        answerUnknown();
        return;
      }
      synchronized (lock) {
        openParts = parts.size();
      }
      for (final Part part : parts) {
        inThreadOfItsOwn(() -> ask(present, part));
      }
    }

    private List<Part> partsByOwner(final IgniteLife present) {
      final Map<UUID, Part> byOwner = new LinkedHashMap<>();
      for (int i = 0; i < keys.length; ) {
        final long group = groups[i];
        final Part part =
            byOwner.computeIfAbsent(present.owner(group), id -> new Part(id, new BitSet()));
        while (i < keys.length && groups[i] == group) {
          part.indexes().set(i++);
        }
      }
      return List.copyOf(byOwner.values());
    }

    private void ask(final IgniteLife present, final Part part) {
      if (!admit(part.owner())) {
        partEnded(false);
        return;
      }
      // Sorted: Ignite warns of sets without an order, and a hash set would compare identities.
      final Set<byte[]> wanted = new TreeSet<>(Arrays::compareUnsigned);
      part.indexes().stream().forEach(i -> wanted.add(new IndexKey(groups[i], keys[i]).toBytes()));
      try {
        present.cache().getAllAsync(wanted).listen(future -> completed(future, part));
      } catch (final RuntimeException _) {
        // Ignite stops, or never found its way: whatever it is, the owner's place is free again.
        failed.increment();
        leave(part.owner());
        partEnded(false);
      }
    }

    private void completed(final IgniteFuture<Map<byte[], byte[]>> future, final Part part) {
      leave(part.owner());
      boolean isKnown = false;
      try {
        if (!isAnswered) {
          enter(future.get(), part.indexes());
          isKnown = true;
        }
      } catch (final RuntimeException _) {
        failed.increment();
      }
      partEnded(isKnown);
    }

    private void enter(final Map<byte[], byte[]> found, final BitSet indexes) {
      final Map<IndexKey, byte[]> byKey = HashMap.newHashMap(found.size());
      found.forEach((key, entry) -> byKey.put(IndexKey.fromBytes(key), entry));
      synchronized (lock) {
        if (!isAnswered) {
          indexes.stream()
              .forEach(i -> perKey[i] = reachable(byKey.get(new IndexKey(groups[i], keys[i]))));
        }
      }
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

    private void partEnded(final boolean isKnown) {
      synchronized (lock) {
        isWhole &= isKnown;
        if (--openParts > 0) {
          return;
        }
      }
      answer();
    }

    void expire() {
      synchronized (lock) {
        if (isAnswered) {
          return;
        }
        isWhole = false;
      }
      late.increment();
      answer();
    }

    void answerUnknown() {
      synchronized (lock) {
        isWhole = false;
      }
      answer();
    }

    private void answer() {
      synchronized (lock) {
        if (isAnswered) {
          return;
        }
        isAnswered = true;
      }
      final Future<?> pending = deadline;
      if (pending != null) {
        pending.cancel(false);
      }
      answered.increment();
      callback.found(perKey, isWhole);
    }
  }
}
