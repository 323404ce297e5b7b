package io.kvasir.node.index;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.IgniteState;
import org.apache.ignite.Ignition;
import org.apache.ignite.IgnitionListener;
import org.apache.ignite.cache.affinity.Affinity;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.events.DiscoveryEvent;
import org.apache.ignite.events.EventType;
import org.apache.ignite.lang.IgnitePredicate;
import org.jspecify.annotations.Nullable;

/**
 * One life of the embedded Ignite: from its join to its stop, wanted or not. A node may go through
 * several.
 */
final class IgniteLife implements AutoCloseable {
  /** Calls come from threads of Ignite. */
  interface Listener {
    void membershipChanged();

    /**
     * Ignite stopped without being asked: expelled from the ring after a pause, or a failure
     * inside. Not called after {@link #close()}.
     */
    void died();
  }

  private static final Pattern REFUSAL = Pattern.compile("(KVA-03\\d\\d) .*");
  private static final Duration DUPLICATE_PATIENCE = Duration.ofSeconds(20);
  private static final long DUPLICATE_RETRY_MS = 500;

  private final Ignite ignite;
  private final IgniteCache<byte[], byte[]> cache;
  private final Affinity<byte[]> affinity;
  private final Listener listener;
  private final IgnitionListener stateListener = this::stateChanged;
  private volatile boolean ended;

  private IgniteLife(final Ignite ignite, final Listener listener) {
    this.ignite = ignite;
    this.cache = ignite.cache(IgniteSettings.CACHE);
    this.affinity = ignite.affinity(IgniteSettings.CACHE);
    this.listener = listener;
  }

  /** Blocks until this node is part of the ring: some seconds. */
  static IgniteLife start(
      final IndexConfig config, final int protocolVersion, final Listener listener) {
    IgniteSettings.setSystemProperties();
    GuardedDiscovery.boundSerialisation();
    checkPortFree(config, "cluster.discovery-port", config.discoveryPort());
    checkPortFree(config, "cluster.communication-port", config.communicationPort());
    try {
      Files.createDirectories(config.workDirectory());
    } catch (final IOException e) {
      throw new IndexException(
          "KVA-0307 index did not start - work-directory="
              + config.workDirectory()
              + " cause="
              + e.getMessage(),
          e);
    }
    final IgniteLife life = new IgniteLife(join(config, protocolVersion), listener);
    Ignition.addListener(life.stateListener);
    final IgnitePredicate<DiscoveryEvent> onEvent =
        _ -> {
          listener.membershipChanged();
          return true;
        };
    life.ignite
        .events()
        .localListen(
            onEvent, EventType.EVT_NODE_JOINED, EventType.EVT_NODE_LEFT, EventType.EVT_NODE_FAILED);
    return life;
  }

  private static Ignite join(final IndexConfig config, final int protocolVersion) {
    final long startNs = System.nanoTime();
    while (true) {
      try {
        return Ignition.start(IgniteSettings.configuration(config, protocolVersion));
      } catch (final IgniteException e) {
        final IndexException refused = explain(e, config);
        if (!String.valueOf(refused.getMessage()).startsWith(JoinCheck.DUPLICATE_NODE_ID)
            || System.nanoTime() - startNs > DUPLICATE_PATIENCE.toNanos()) {
          throw refused;
        }
        pause(DUPLICATE_RETRY_MS, refused);
      }
    }
  }

  private static void pause(final long millis, final IndexException refused) {
    try {
      TimeUnit.MILLISECONDS.sleep(millis);
    } catch (final InterruptedException _) {
      Thread.currentThread().interrupt();
      throw refused;
    }
  }

  private static IndexException explain(final IgniteException failure, final IndexConfig config) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      final Matcher refusal = REFUSAL.matcher(String.valueOf(cause.getMessage()));
      if (refusal.find()) {
        return new IndexException(refusal.group(), failure);
      }
    }
    return new IndexException(
        "KVA-0307 index did not start - bind="
            + config.bindAddress()
            + " discovery-port="
            + config.discoveryPort()
            + " cause="
            + failure.getMessage()
            + "; see the log",
        failure);
  }

  /** Ignite's own report of a taken port names neither the key nor, for discovery, the cause. */
  private static void checkPortFree(final IndexConfig config, final String key, final int port) {
    try (ServerSocket probe = new ServerSocket()) {
      probe.setReuseAddress(true);
      probe.bind(new InetSocketAddress(address(config), port));
    } catch (final IOException e) {
      throw new IndexException(
          "KVA-0302 port cannot be used - "
              + key
              + "="
              + port
              + " cluster.bind="
              + config.bindAddress()
              + " cause="
              + e.getMessage()
              + "; stop what listens there, or choose another port",
          e);
    }
  }

  /** Ports asked for as 0 become free ones; they stay the same over rejoins. */
  static IndexConfig withRealPorts(final IndexConfig config) {
    if (config.discoveryPort() != 0 && config.communicationPort() != 0) {
      return config;
    }
    // Both are held until both are known, else the second could be the first again.
    try (ServerSocket first = new ServerSocket(0, 1, address(config));
        ServerSocket second = new ServerSocket(0, 1, address(config))) {
      return config.withPorts(
          config.discoveryPort() == 0 ? first.getLocalPort() : config.discoveryPort(),
          config.communicationPort() == 0 ? second.getLocalPort() : config.communicationPort());
    } catch (final IOException e) {
      throw new IndexException(
          "KVA-0302 no free port - cluster.bind="
              + config.bindAddress()
              + " cause="
              + e.getMessage()
              + "; correct cluster.bind",
          e);
    }
  }

  private static InetAddress address(final IndexConfig config) {
    try {
      return InetAddress.getByName(config.bindAddress());
    } catch (final UnknownHostException e) {
      throw new IndexException(
          "KVA-0301 unknown address - cluster.bind="
              + config.bindAddress()
              + "; give an address of this host",
          e);
    }
  }

  private void stateChanged(final @Nullable String name, final IgniteState state) {
    if (state != IgniteState.STARTED && ignite.name().equals(name) && !ended) {
      ended = true;
      Ignition.removeListener(stateListener);
      listener.died();
    }
  }

  IgniteCache<byte[], byte[]> cache() {
    return cache;
  }

  /**
   * Node ids of the members that keep a group's entries now, the primary first. Does not wait for a
   * change of the ring to be agreed on: what held before it counts.
   *
   * @throws IgniteException if Ignite stops
   */
  long[] keepers(final long group) {
    return affinity.mapPartitionToPrimaryAndBackups(GroupAffinity.partitionOf(group)).stream()
        .mapToLong(MemberAttributes::nodeId)
        .toArray();
  }

  Ignite ignite() {
    return ignite;
  }

  boolean ended() {
    return ended;
  }

  /** The present members by node id; those of Ignite's nodes that describe themselves. */
  List<ClusterMember> members() {
    final List<ClusterMember> members = new ArrayList<>();
    for (final ClusterNode node : ignite.cluster().forServers().nodes()) {
      final @Nullable ClusterMember member = MemberAttributes.member(node);
      if (member != null) {
        members.add(member);
      }
    }
    members.sort(Comparator.comparingLong(ClusterMember::nodeId));
    return members;
  }

  @Override
  public void close() {
    ended = true;
    Ignition.removeListener(stateListener);
    Ignition.stop(ignite.name(), true);
  }
}
