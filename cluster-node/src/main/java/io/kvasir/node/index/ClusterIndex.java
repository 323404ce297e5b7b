package io.kvasir.node.index;

import io.kvasir.placement.ChunkKey;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.IgniteState;
import org.apache.ignite.Ignition;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The cluster's map from chunk to holders, and its list of members. All methods may be called from
 * any thread and none of them waits for the network, except {@link #start} and {@link #close}.
 *
 * <p>When the embedded Ignite stops by itself, the index starts it again and rejoins; until then
 * lookups answer "unknown" and announcements wait.
 */
public final class ClusterIndex implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ClusterIndex.class);
  private static final long TICK_MS = 20;

  /** Less than the time after which peers close a session that nobody uses. */
  private static final long GREETING_SECONDS = 20;

  private static final long GREETING = 0;
  private static final byte[] NO_KEYS = {};
  private static final long REJOIN_BACKOFF_MIN_MS = 500;
  private static final long REJOIN_BACKOFF_MAX_MS = 10_000;

  /** Two departures within this time may have taken a partition and its only copy. */
  private static final long COPY_WITHIN_NS = TimeUnit.SECONDS.toNanos(60);

  private final IndexConfig config;
  private final int protocolVersion;
  private final MembershipListener listener;
  private final Duration departedGrace;
  private final ClusterMember self;
  private final ScheduledThreadPoolExecutor timer;
  private final Announcer announcer;
  private final PartReader reader;
  private final Lookups lookups;
  private final IndexLink link;
  private final Thread keeper;
  private final Semaphore lifeEnded = new Semaphore(0);
  private final LongAdder rejoins = new LongAdder();
  private final Object membership = new Object();
  private long lastDepartureNs;
  private boolean departedBefore;
  private @Nullable Future<?> nextSweep;
  private volatile @Nullable Future<?> ticking;
  private volatile @Nullable Future<?> greeting;
  private volatile Map<Long, ClusterMember> members;
  private volatile @Nullable IgniteLife life;
  private volatile boolean closed;

  private ClusterIndex(
      final IndexConfig config,
      final int protocolVersion,
      final Duration departedGrace,
      final MembershipListener listener,
      final IndexLink link) {
    this.config = config;
    this.protocolVersion = protocolVersion;
    this.departedGrace = departedGrace;
    this.listener = listener;
    this.link = link;
    this.self =
        new ClusterMember(
            config.nodeId(),
            config.nodeName(),
            config.aeronEndpoint(),
            config.zone(),
            config.capacityBytes(),
            true);
    this.members = Map.of(self.nodeId(), self);
    this.timer =
        new ScheduledThreadPoolExecutor(
            1, Thread.ofPlatform().name("kvasir-index-timer").daemon().factory());
    this.timer.setRemoveOnCancelPolicy(true);
    this.announcer = new Announcer(this::cache);
    this.reader = new PartReader(this::presentLife, link);
    this.lookups =
        new Lookups(self.nodeId(), this::presentLife, nodeId -> members.get(nodeId), reader, link);
    this.keeper =
        Thread.ofPlatform().name("kvasir-index-keeper").daemon().unstarted(this::keepJoined);
  }

  /**
   * Joins the cluster that the seeds name, or begins one if none of them answers. Takes some
   * seconds.
   *
   * @throws IndexException with a message for people if a port is taken, the address is not of this
   *     host, or the cluster refuses this node
   */
  public static ClusterIndex start(
      final IndexConfig config, final MembershipListener listener, final IndexLink link) {
    return start(config, MemberAttributes.PROTOCOL_VERSION, Duration.ofSeconds(60), listener, link);
  }

  /** For tests: a node of another release, and a shorter patience with those who left. */
  static ClusterIndex start(
      final IndexConfig config,
      final int protocolVersion,
      final Duration departedGrace,
      final MembershipListener listener,
      final IndexLink link) {
    final ClusterIndex index =
        new ClusterIndex(
            IgniteLife.withRealPorts(config), protocolVersion, departedGrace, listener, link);
    try {
      index.join();
    } catch (final RuntimeException e) {
      index.close();
      throw e;
    }
    index.warnIfAlone();
    index.announcer.start();
    index.ticking =
        index.timer.scheduleWithFixedDelay(index::tick, TICK_MS, TICK_MS, TimeUnit.MILLISECONDS);
    index.greeting =
        index.timer.scheduleWithFixedDelay(
            index::greet, GREETING_SECONDS, GREETING_SECONDS, TimeUnit.SECONDS);
    index.keeper.start();
    return index;
  }

  /** The first node of a cluster should know that it is that. */
  private void warnIfAlone() {
    if (members.size() == 1 && !otherSeeds().isEmpty()) {
      LOG.warn(
          "KVA-0315 no seed answers, beginning a cluster - node={} seeds={}; if there is one"
              + " already, mend cluster.seeds or the network: this node joins it when a seed"
              + " listens",
          config.nodeName(),
          config.seeds());
    }
  }

  private List<String> otherSeeds() {
    final String own = IgniteSettings.endpoint(config.bindAddress(), config.discoveryPort());
    return config.seeds().stream().filter(seed -> !seed.equals(own)).toList();
  }

  /**
   * Says that the local node holds a committed chunk. Queued and sent in batches, in order with the
   * other changes of this node.
   *
   * @param lengthBytes greater than 0
   * @param version not 0
   * @param whenIndexed null, or told once: after at most half a second with {@code false} if the
   *     index does not answer in that time
   * @return false if the queue was full; then {@code whenIndexed} is not called, and {@link
   *     MembershipListener#reannounceNeeded()} follows when there is room
   */
  public boolean announce(
      final ChunkKey key,
      final long group,
      final int lengthBytes,
      final long version,
      final @Nullable AnnounceCallback whenIndexed) {
    if (lengthBytes <= 0 || version == HolderUpdate.ANY_VERSION) {
      throw new IllegalArgumentException(
          "KVA-0312 cannot announce - lengthBytes="
              + lengthBytes
              + " version="
              + version
              + "; both must be set");
    }
    final boolean queued =
        announcer.offer(
            new IndexKey(group, key).toBytes(),
            HolderUpdate.add(self.nodeId(), version, lengthBytes),
            whenIndexed);
    if (!queued) {
      announcer.markIncomplete();
    }
    return queued;
  }

  /**
   * How many more changes the queue takes now. A sweep over all chunks should leave half of {@link
   * #announceRoomMax()} for fresh ones.
   */
  public int announceRoom() {
    return announcer.room();
  }

  public static int announceRoomMax() {
    return Announcer.QUEUE_MAX;
  }

  /**
   * Says that the local node no longer holds this version. May be dropped when the queue is full: a
   * stale entry costs a reader one miss.
   */
  public void withdraw(final ChunkKey key, final long group, final long version) {
    withdrawStale(key, group, self.nodeId(), version);
  }

  /**
   * Repairs an entry that proved wrong: that holder did not have this version. An announcement of
   * another version stays.
   */
  public void withdrawStale(
      final ChunkKey key, final long group, final long holderNodeId, final long version) {
    announcer.offer(
        new IndexKey(group, key).toBytes(), HolderUpdate.remove(holderNodeId, version), null);
  }

  /**
   * Asks who else holds these chunks. The answer comes once, at the deadline at the latest, on a
   * thread of the index, of its link, or the caller's.
   *
   * @param groups {@code groups[i]} is that of {@code keys[i]}; both stay unchanged until the
   *     answer
   * @param deadlineNs in {@link System#nanoTime()}'s terms
   */
  public void lookup(
      final ChunkKey[] keys,
      final long[] groups,
      final long deadlineNs,
      final LookupCallback callback) {
    lookups.lookup(keys, groups, deadlineNs, callback);
  }

  /** A member asked for entries that this one keeps. Does not wait. */
  public void asked(final long nodeId, final long questionId, final byte[] question) {
    reader.answer(nodeId, questionId, question);
  }

  /** A member answered a question of this one, or a part of it. Does not wait. */
  public void answered(final long nodeId, final long questionId, final byte[] part) {
    lookups.answered(nodeId, questionId, part);
  }

  /** The members as seen from here, ordered by node id, the local one included. */
  public List<ClusterMember> members() {
    return ordered(members);
  }

  /** The port discovery listens on, chosen at start if the configuration said 0. */
  public int discoveryPort() {
    return config.discoveryPort();
  }

  /** The port communication listens on, chosen at start if the configuration said 0. */
  public int communicationPort() {
    return config.communicationPort();
  }

  public IndexStats stats() {
    return new IndexStats(
        announcer.indexed.sum(),
        announcer.batches.sum(),
        announcer.retries.sum(),
        announcer.dropped.sum(),
        Announcer.QUEUE_MAX - announcer.room(),
        lookups.answered.sum(),
        lookups.late.sum(),
        lookups.refused.sum(),
        lookups.failed.sum(),
        reader.answered.sum(),
        reader.dropped.sum(),
        rejoins.sum());
  }

  /** For tests that break things from inside. */
  @Nullable IgniteLife life() {
    return life;
  }

  private @Nullable IgniteLife presentLife() {
    final IgniteLife present = life;
    return present == null || present.ended() ? null : present;
  }

  private @Nullable IgniteCache<byte[], byte[]> cache() {
    final IgniteLife present = presentLife();
    return present == null ? null : present.cache();
  }

  private void join() {
    life =
        IgniteLife.start(
            config,
            protocolVersion,
            new IgniteLife.Listener() {
              @Override
              public void membershipChanged() {
                refreshMembers();
              }

              @Override
              public void died() {
                lifeEnded.release();
              }
            });
    refreshMembers();
    listener.reannounceNeeded();
  }

  private void refreshMembers() {
    synchronized (membership) {
      final IgniteLife present = life;
      final Map<Long, ClusterMember> before = members;
      final Map<Long, ClusterMember> now =
          present == null || present.ended() ? Map.of(self.nodeId(), self) : byId(present);
      if (now.equals(before)) {
        return;
      }
      members = now;
      if (present != null && !now.keySet().containsAll(before.keySet())) {
        departed();
      }
      warnOfNamesakes(before, now);
      listener.membersChanged(ordered(now));
      greet();
    }
  }

  /** Nothing breaks, but nobody can tell the two apart in logs and figures. */
  private void warnOfNamesakes(
      final Map<Long, ClusterMember> before, final Map<Long, ClusterMember> now) {
    for (final ClusterMember member : namesakes(self, before, now)) {
      LOG.warn(
          "KVA-0316 another member has the same name - node.name={} nodeId={} otherNodeId={}"
              + " otherEndpoint={}; give each node a node.name of its own",
          self.name(),
          Long.toHexString(self.nodeId()),
          Long.toHexString(member.nodeId()),
          member.aeronEndpoint());
    }
  }

  /** Those of {@code now} that came since {@code before} and are called like {@code self}. */
  static List<ClusterMember> namesakes(
      final ClusterMember self,
      final Map<Long, ClusterMember> before,
      final Map<Long, ClusterMember> now) {
    return now.values().stream()
        .filter(member -> member.nodeId() != self.nodeId() && member.name().equals(self.name()))
        .filter(member -> !before.containsKey(member.nodeId()))
        .toList();
  }

  private static Map<Long, ClusterMember> byId(final IgniteLife life) {
    try {
      return life.members().stream()
          .collect(
              Collectors.toUnmodifiableMap(
                  ClusterMember::nodeId, Function.identity(), (a, b) -> a.local() ? a : b));
    } catch (final IgniteException | IllegalStateException _) {
      // Stopping: the keeper takes over.
      return Map.of();
    }
  }

  private static List<ClusterMember> ordered(final Map<Long, ClusterMember> members) {
    return members.values().stream()
        .sorted((a, b) -> Long.compareUnsigned(a.nodeId(), b.nodeId()))
        .toList();
  }

  private void departed() {
    final long nowNs = System.nanoTime();
    if (departedBefore && nowNs - lastDepartureNs < COPY_WITHIN_NS) {
      announcer.markIncomplete();
    }
    departedBefore = true;
    lastDepartureNs = nowNs;
    cancel(nextSweep);
    nextSweep =
        timer.schedule(
            () -> Thread.ofVirtual().name("kvasir-index-sweep").start(this::sweep),
            departedGrace.toNanos(),
            TimeUnit.NANOSECONDS);
  }

  private static void cancel(final @Nullable Future<?> task) {
    if (task != null) {
      task.cancel(false);
    }
  }

  private void sweep() {
    final IgniteLife present = life;
    if (present == null || present.ended()) {
      return;
    }
    try {
      new DeadHolderSweep(
              announcer, nodeId -> members.containsKey(nodeId), () -> closed || present.ended())
          .run(present.cache());
    } catch (final IgniteException | IllegalStateException e) {
      LOG.debug("sweep given up, the next departure starts another", e);
    }
  }

  /** Keeps a session with each member, so that no lookup has to wait for one. */
  private void greet() {
    members.values().stream()
        .filter(member -> !member.local())
        .forEach(member -> link.ask(member, GREETING, NO_KEYS));
  }

  private void tick() {
    announcer.answerOverdue();
    if (announcer.takeIncomplete()) {
      listener.reannounceNeeded();
    }
  }

  private void keepJoined() {
    final SeedWatch seeds = new SeedWatch(otherSeeds(), new SplittableRandom());
    while (!closed) {
      try {
        // The state is also looked at every second: Ignite may have stopped before its listener was
        // in place.
        if (lifeEnded.tryAcquire(1, TimeUnit.SECONDS)
            || Ignition.state(IgniteSettings.instanceName(config)) != IgniteState.STARTED) {
          rejoin("the embedded Ignite stopped");
        } else if (seeds.shouldJoinAgain(members.size(), System.nanoTime())) {
          rejoin("alone, but a seed listens");
        }
      } catch (final InterruptedException _) {
        return;
      }
    }
  }

  private void rejoin(final String cause) throws InterruptedException {
    LOG.warn(
        "KVA-0308 cut off from the cluster - node={} cause=\"{}\"; rejoining",
        config.nodeName(),
        cause);
    final IgniteLife last = life;
    life = null;
    refreshMembers();
    if (last != null) {
      last.close();
    }
    lifeEnded.drainPermits();
    long backoffMs = REJOIN_BACKOFF_MIN_MS;
    while (!closed) {
      try {
        join();
        rejoins.increment();
        LOG.warn(
            "KVA-0309 rejoined the cluster - node={} members={}",
            config.nodeName(),
            members.size());
        return;
      } catch (final IndexException e) {
        LOG.warn("{}; trying again in {} ms", e.getMessage(), backoffMs);
        TimeUnit.MILLISECONDS.sleep(backoffMs);
        backoffMs = Math.min(2 * backoffMs, REJOIN_BACKOFF_MAX_MS);
      }
    }
  }

  @Override
  public void close() {
    closed = true;
    keeper.interrupt();
    try {
      keeper.join();
    } catch (final InterruptedException _) {
      Thread.currentThread().interrupt();
    }
    announcer.close();
    final IgniteLife last = life;
    life = null;
    if (last != null) {
      last.close();
    }
    cancel(ticking);
    cancel(greeting);
    reader.close();
    synchronized (membership) {
      cancel(nextSweep);
    }
    timer.shutdown();
  }
}
