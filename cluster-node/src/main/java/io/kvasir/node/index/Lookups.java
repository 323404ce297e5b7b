package io.kvasir.node.index;

import io.kvasir.placement.ChunkKey;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongFunction;
import java.util.function.Supplier;
import org.agrona.collections.IntArrayList;
import org.jspecify.annotations.Nullable;

/**
 * Asks the index with a deadline. Each member that keeps entries of the wanted groups is asked by a
 * message of our own, and this node's part is read beside; at the deadline the answer is what is
 * known then. A member that let a deadline pass is left alone for a while, and the backups of its
 * entries are asked.
 *
 * <p>Ignite's own reads are not used: they stand still while the ring agrees on a change, and they
 * cross twice as many threads.
 */
final class Lookups {
  /** Lookups that wait for an answer; beyond it, the answer is "unknown" at once. */
  private static final int OPEN_MAX = 1_024;

  /** How long a member that let a deadline pass is not asked while a backup can be. */
  private static final long AVOID_NS = TimeUnit.SECONDS.toNanos(1);

  private final long selfNodeId;
  private final Supplier<@Nullable IgniteLife> life;
  private final LongFunction<@Nullable ClusterMember> members;
  private final PartReader reader;
  private final IndexLink link;
  private final AtomicInteger open = new AtomicInteger();
  private final AtomicLong nextQuestionId = new AtomicLong(new SecureRandom().nextLong());
  private final Map<Long, Question> questions = new ConcurrentHashMap<>();
  private final Map<Long, Long> avoidedUntilNs = new ConcurrentHashMap<>();

  final LongAdder answered = new LongAdder();
  final LongAdder late = new LongAdder();
  final LongAdder refused = new LongAdder();
  final LongAdder failed = new LongAdder();

  /**
   * @param members finds a present member by node id, this one included
   */
  Lookups(
      final long selfNodeId,
      final Supplier<@Nullable IgniteLife> life,
      final LongFunction<@Nullable ClusterMember> members,
      final PartReader reader,
      final IndexLink link) {
    this.selfNodeId = selfNodeId;
    this.life = life;
    this.members = members;
    this.reader = reader;
    this.link = link;
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
    if (open.incrementAndGet() > OPEN_MAX) {
      refused.increment();
      lookup.answer(false);
      return;
    }
    lookup.start(deadlineNs);
  }

  /** A member answered a question, or a part of it. Any thread; does not wait. */
  void answered(final long nodeId, final long questionId, final byte[] part) {
    final Question question = questions.get(questionId);
    if (question != null && question.nodeId == nodeId) {
      question.answered(part);
    }
    // Also too late it shows that the member was only slow.
    avoidedUntilNs.remove(nodeId);
  }

  /**
   * The member to ask for a group's entries: the primary, or the backup if the primary let a
   * deadline pass lately. Null if nobody keeps the group.
   */
  private @Nullable ClusterMember keeper(final IgniteLife present, final long group) {
    ClusterMember first = null;
    for (final long nodeId : present.keepers(group)) {
      final ClusterMember member = members.apply(nodeId);
      if (member != null && !isAvoided(nodeId)) {
        return member;
      }
      first = first == null ? member : first;
    }
    return first;
  }

  private boolean isAvoided(final long nodeId) {
    final Long untilNs = avoidedUntilNs.get(nodeId);
    if (untilNs == null) {
      return false;
    }
    if (untilNs - System.nanoTime() > 0) {
      return true;
    }
    avoidedUntilNs.remove(nodeId, untilNs);
    return false;
  }

  /** What one member is asked by one message: numbers of the lookup's keys. */
  private final class Question {
    private final Lookup lookup;
    private final long nodeId;
    private final int[] indexes;

    /** Keys answered so far; guarded by the lookup's lock. */
    private int next;

    Question(final Lookup lookup, final long nodeId, final int[] indexes) {
      this.lookup = lookup;
      this.nodeId = nodeId;
      this.indexes = indexes;
    }

    void answered(final byte[] part) {
      synchronized (lookup.lock) {
        // Parts come in order, each once; what does not fit is no answer.
        if (lookup.isAnswered || next == indexes.length || PartCodec.first(part) != next) {
          return;
        }
        final @Nullable Holders[] read = new @Nullable Holders[indexes.length];
        final int end =
            PartCodec.read(
                part,
                (entry, i) -> {
                  if (i < read.length) {
                    read[i] = reachable(entry);
                  }
                });
        if (end <= next || end > indexes.length) {
          failed.increment();
          return;
        }
        for (int i = next; i < end; i++) {
          lookup.perKey[indexes[i]] = read[i];
        }
        lookup.openKeys -= end - next;
        next = end;
      }
      lookup.answerIfComplete();
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
      if (nodeId != selfNodeId && members.apply(nodeId) != null) {
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

  /** One question of a reader: a part for each member asked, and an answer of what came in time. */
  private final class Lookup {
    private final ChunkKey[] keys;
    private final long[] groups;
    private final LookupCallback callback;
    private final Object lock = new Object();
    private final Map<Long, Question> asked = new LinkedHashMap<>();

    // Guarded by the lock; the array is the callback's from the answer on.
    private final @Nullable Holders[] perKey;
    private int openKeys;
    private boolean isAnswered;

    Lookup(final ChunkKey[] keys, final long[] groups, final LookupCallback callback) {
      this.keys = keys;
      this.groups = groups;
      this.callback = callback;
      this.perKey = new @Nullable Holders[keys.length];
      this.openKeys = keys.length;
    }

    /** Asks each member its part: one that is slow or gone keeps only its own keys unknown. */
    void start(final long deadlineNs) {
      final IgniteLife present = life.get();
      if (present == null) {
        answer(false);
        return;
      }
      final Map<ClusterMember, IntArrayList> parts;
      try {
        parts = partsByKeeper(present);
      } catch (final RuntimeException _) {
        // Ignite stops, or has no assignment yet.
        failed.increment();
        answer(false);
        return;
      }
      int[] here = {};
      for (final Map.Entry<ClusterMember, IntArrayList> part : parts.entrySet()) {
        if (part.getKey().local()) {
          here = part.getValue().toIntArray();
        } else {
          ask(part.getKey(), part.getValue().toIntArray());
        }
      }
      // After the questions: an answer at the deadline must find them all to forget them.
      final PartReader.Alarm alarm =
          new PartReader.Alarm(deadlineNs, this::isAnswered, this::expire);
      if (!reader.execute(alarm, readHere(here))) {
        refused.increment();
        answer(false);
      }
    }

    private Map<ClusterMember, IntArrayList> partsByKeeper(final IgniteLife present) {
      final Map<ClusterMember, IntArrayList> parts = new LinkedHashMap<>();
      ClusterMember member = null;
      for (int i = 0; i < keys.length; i++) {
        if (i == 0 || groups[i] != groups[i - 1]) {
          member = keeper(present, groups[i]);
        }
        if (member != null) {
          parts.computeIfAbsent(member, _ -> new IntArrayList()).addInt(i);
        }
      }
      return parts;
    }

    private Runnable readHere(final int[] indexes) {
      return () -> {
        if (isAnswered()) {
          return;
        }
        final @Nullable Holders[] found = new @Nullable Holders[indexes.length];
        for (int i = 0; i < indexes.length; i++) {
          final int at = indexes[i];
          found[i] = reachable(reader.entry(new IndexKey(groups[at], keys[at]).toBytes()));
        }
        entered(indexes, found);
      };
    }

    private boolean isAnswered() {
      synchronized (lock) {
        return isAnswered;
      }
    }

    private void entered(final int[] indexes, final @Nullable Holders[] found) {
      synchronized (lock) {
        if (isAnswered) {
          return;
        }
        for (int i = 0; i < indexes.length; i++) {
          perKey[indexes[i]] = found[i];
        }
        openKeys -= indexes.length;
      }
      answerIfComplete();
    }

    private void ask(final ClusterMember member, final int[] indexes) {
      final int keysMax = Math.max(1, PartCodec.keysMax(link.bytesMax()));
      for (int from = 0; from < indexes.length; from += keysMax) {
        final int[] some =
            Arrays.copyOfRange(indexes, from, Math.min(indexes.length, from + keysMax));
        final byte[] question = new byte[some.length * IndexKey.BYTES];
        for (int i = 0; i < some.length; i++) {
          final int at = some[i];
          new IndexKey(groups[at], keys[at]).write(question, i * IndexKey.BYTES);
        }
        final long id = nextQuestionId.getAndIncrement();
        final Question sent = new Question(this, member.nodeId(), some);
        synchronized (lock) {
          if (isAnswered) {
            return;
          }
          asked.put(id, sent);
        }
        questions.put(id, sent);
        if (!link.ask(member, id, question)) {
          refused.increment();
          questions.remove(id);
          synchronized (lock) {
            asked.remove(id); // not the member's fault
          }
        }
      }
    }

    private void answerIfComplete() {
      synchronized (lock) {
        if (openKeys > 0) {
          return;
        }
      }
      answer(true);
    }

    void expire() {
      synchronized (lock) {
        if (isAnswered) {
          return;
        }
        final long untilNs = System.nanoTime() + AVOID_NS;
        for (final Question question : asked.values()) {
          if (question.next < question.indexes.length) {
            avoidedUntilNs.put(question.nodeId, untilNs);
          }
        }
      }
      late.increment();
      answer(false);
    }

    void answer(final boolean isWhole) {
      synchronized (lock) {
        if (isAnswered) {
          return;
        }
        isAnswered = true;
      }
      asked.keySet().forEach(questions::remove);
      open.decrementAndGet();
      answered.increment();
      callback.found(perKey, isWhole);
    }
  }
}
