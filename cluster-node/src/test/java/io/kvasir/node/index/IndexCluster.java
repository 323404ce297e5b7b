package io.kvasir.node.index;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.node.peer.IndexQuestions;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.ChunkSource;
import io.kvasir.transport.ServeRequest;
import io.kvasir.transport.Transport;
import io.kvasir.transport.TransportConfig;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Members of one cluster inside the test's JVM. */
final class IndexCluster implements AutoCloseable {
  static final Duration PATIENCE = Duration.ofMinutes(2);
  static final Duration GRACE = Duration.ofSeconds(2);

  /** A member with a transport of its own, and what it told its node. */
  static final class Node implements MembershipListener, AutoCloseable {
    final AtomicInteger reannounces = new AtomicInteger();
    volatile List<ClusterMember> seen = List.of();
    private @Nullable Transport transport;
    private @Nullable ClusterIndex index;

    ClusterIndex index() {
      final ClusterIndex started = index;
      assertNotNull(started);
      return started;
    }

    String endpoint() {
      final Transport started = transport;
      assertNotNull(started);
      return started.endpoint();
    }

    /** Joins; the configuration's endpoint is replaced by that of the transport. */
    Node join(final IndexConfig config) {
      final IndexQuestions questions = new IndexQuestions();
      final Transport started =
          Transport.start(
              TransportConfig.builder(
                      config.nodeId(),
                      config.clusterName(),
                      config.workDirectory().resolveSibling("aeron-" + config.nodeId()))
                  .build(),
              new NoChunks(),
              questions);
      transport = started;
      questions.connect(started);
      final ClusterIndex joined =
          ClusterIndex.start(
              at(config, started.endpoint()),
              MemberAttributes.PROTOCOL_VERSION,
              GRACE,
              this,
              questions);
      index = joined;
      questions.connect(joined);
      return this;
    }

    @Override
    public void close() {
      index().close();
      if (transport != null) {
        transport.close();
      }
    }

    @Override
    public void membersChanged(final List<ClusterMember> members) {
      seen = members;
    }

    @Override
    public void reannounceNeeded() {
      reannounces.incrementAndGet();
    }
  }

  /** These nodes share an index only. */
  private static final class NoChunks implements ChunkSource {
    @Override
    public void requested(final ServeRequest request) {
      for (int i = 0; i < request.size(); i++) {
        request.missing(i);
      }
    }

    @Override
    public void finished(final ServeRequest request, final int chunk) {
      throw new AssertionError("no chunk was found");
    }

    @Override
    public void doubted(final ChunkKey key, final long version) {
      throw new AssertionError("no chunk was sent");
    }
  }

  private final Path directory;
  private final List<String> seeds = new ArrayList<>();
  final List<Node> nodes = new ArrayList<>();

  IndexCluster(final Path directory) {
    this.directory = directory;
  }

  static IndexConfig config(
      final Path directory,
      final long nodeId,
      final String zone,
      final int discoveryPort,
      final List<String> seeds) {
    return new IndexConfig(
        "test",
        nodeId,
        "n" + nodeId,
        "127.0.0.1",
        discoveryPort,
        0,
        seeds,
        "127.0.0.1:" + (40_000 + nodeId),
        zone,
        1L << 30,
        List.of("n1", "n2", "n3"),
        512L << 20,
        directory.resolve("n" + nodeId));
  }

  private static IndexConfig at(final IndexConfig config, final String endpoint) {
    return new IndexConfig(
        config.clusterName(),
        config.nodeId(),
        config.nodeName(),
        config.bindAddress(),
        config.discoveryPort(),
        config.communicationPort(),
        config.seeds(),
        endpoint,
        config.zone(),
        config.capacityBytes(),
        config.voters(),
        config.memoryBytes(),
        config.workDirectory());
  }

  static int freePort() throws Exception {
    try (ServerSocket probe = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return probe.getLocalPort();
    }
  }

  Node add(final String zone) {
    final Node node = new Node().join(config(directory, nodes.size() + 1L, zone, 0, seeds));
    nodes.add(node);
    seeds.add("127.0.0.1:" + node.index().discoveryPort());
    return node;
  }

  Node node(final int i) {
    return nodes.get(i);
  }

  List<String> seeds() {
    return seeds;
  }

  void awaitMembers(final int count) {
    await(
        "all see " + count + " members",
        () -> nodes.stream().allMatch(node -> node.index().members().size() == count));
  }

  static void await(final String what, final BooleanSupplier condition) {
    final long startNs = System.nanoTime();
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() - startNs < PATIENCE.toNanos(), "waited too long: " + what);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
    }
  }

  static ChunkKey key(final SplittableRandom random) {
    return new ChunkKey(random.nextLong(), random.nextLong(), random.nextLong(), random.nextLong());
  }

  /** Waits for the announcement to be indexed. */
  static void announce(
      final ClusterIndex index,
      final ChunkKey key,
      final long group,
      final int lengthBytes,
      final long version) {
    // It says no when the index was slow; announcing the same again changes nothing.
    await(
        "indexed",
        () -> {
          final CompletableFuture<Boolean> indexed = new CompletableFuture<>();
          assertTrue(index.announce(key, group, lengthBytes, version, indexed::complete));
          return indexed.orTimeout(20, TimeUnit.SECONDS).join();
        });
  }

  static @Nullable Holders lookup(final ClusterIndex index, final ChunkKey key, final long group) {
    return lookup(index, new ChunkKey[] {key}, new long[] {group}, Duration.ofSeconds(5))[0];
  }

  static @Nullable Holders[] lookup(
      final ClusterIndex index, final ChunkKey[] keys, final long[] groups, final Duration within) {
    final CompletableFuture<@Nullable Holders[]> answer = new CompletableFuture<>();
    index.lookup(
        keys, groups, System.nanoTime() + within.toNanos(), (found, _) -> answer.complete(found));
    return answer.orTimeout(30, TimeUnit.SECONDS).join();
  }

  static long holderCount(final @Nullable Holders[] found) {
    return Stream.of(found).filter(holders -> holders != null).count();
  }

  @Override
  public void close() {
    nodes.reversed().forEach(Node::close);
  }
}
