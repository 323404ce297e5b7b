package io.kvasir.node;

import io.kvasir.node.config.NodeConfig;
import io.kvasir.node.engine.EngineEndpoint;
import io.kvasir.node.engine.EngineServices;
import io.kvasir.node.index.ClusterIndex;
import io.kvasir.node.index.IndexConfig;
import io.kvasir.node.peer.Handoffs;
import io.kvasir.node.peer.IndexFeed;
import io.kvasir.node.peer.IndexQuestions;
import io.kvasir.node.peer.Links;
import io.kvasir.node.peer.LoadPlanner;
import io.kvasir.node.peer.Neighbours;
import io.kvasir.node.peer.PeerCounters;
import io.kvasir.node.peer.PeerMessages;
import io.kvasir.node.peer.PeerTable;
import io.kvasir.node.peer.PullCoordinator;
import io.kvasir.node.peer.PullRates;
import io.kvasir.node.peer.RateProbe;
import io.kvasir.node.peer.ServeCoordinator;
import io.kvasir.node.peer.StoreEvents;
import io.kvasir.node.store.Owner;
import io.kvasir.node.store.Store;
import io.kvasir.node.store.StoreConfig;
import io.kvasir.transport.Transport;
import io.kvasir.transport.TransportConfig;
import java.io.IOException;
import java.nio.channels.SelectionKey;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HexFormat;
import java.util.UUID;
import java.util.function.Consumer;
import org.agrona.concurrent.NanoClock;
import org.agrona.concurrent.SystemNanoClock;

/**
 * One member of a cluster: store, transport, index and engine endpoint, wired by hand and closed in
 * reverse.
 *
 * <pre>
 *   engines ──frames──▶ node agent ──owns──▶ store ──jobs──▶ checksum workers
 *                        │   ▲ tasks
 *            lookups,    ▼   │
 *            announces  index threads (Ignite)        lane agent (Aeron) ◀──pulls── peers
 * </pre>
 */
public final class KvasirNode implements AutoCloseable {
  static final Duration QUARANTINE_GRACE = Duration.ofSeconds(2);

  private final Deque<AutoCloseable> closers = new ArrayDeque<>();
  private final NodeAgent agent;
  private final Store store;
  private final EngineEndpoint endpoint;
  private final NodeInfo info;

  /**
   * Starts a node; it serves engines and peers when this returns.
   *
   * @param onFailure told from a thread of the node if it cannot go on; it is still to be closed
   * @throws RuntimeException with a {@code KVA-nnnn} message for people if it cannot start; nothing
   *     is left open then
   */
  public static KvasirNode start(final NodeConfig config, final Consumer<Throwable> onFailure) {
    return start(config, onFailure, SystemNanoClock.INSTANCE);
  }

  /** With a clock that tests may put forward. */
  static KvasirNode start(
      final NodeConfig config, final Consumer<Throwable> onFailure, final NanoClock clock) {
    try {
      return new KvasirNode(config, onFailure, clock);
    } catch (final IOException e) {
      throw new NodeException(
          "KVA-0113 node not started - name="
              + config.node().name()
              + " runDir="
              + config.node().runDir()
              + " cause="
              + e
              + "; check that the directory can be written",
          e);
    }
  }

  private KvasirNode(
      final NodeConfig config, final Consumer<Throwable> onFailure, final NanoClock clock)
      throws IOException {
    final Path runDir = config.node().runDir();
    try {
      agent = opened(new NodeAgent(clock, onFailure));
      final StoreEvents events = new StoreEvents();
      store = opened(Store.open(storeConfig(config), events, agent::wakeUp));
      final long nodeId = NodeId.of(runDir);
      final Owner transfers = store.openOwner(UUID.randomUUID(), ProcessHandle.current().pid(), 0);

      final PeerCounters peerCounters = new PeerCounters();
      final Owner handedOff = store.openOwner(UUID.randomUUID(), ProcessHandle.current().pid(), 0);
      final Handoffs handoffs = new Handoffs(store, events, handedOff, peerCounters, agent, clock);
      final ServeCoordinator serves =
          new ServeCoordinator(store, events, transfers, peerCounters, handoffs, agent);
      final IndexQuestions questions = new IndexQuestions();
      final Neighbours neighbours =
          opened(
              new Neighbours(
                  nodeId,
                  config.transport().sameHost(),
                  store,
                  serves,
                  peerCounters,
                  agent,
                  clock));
      final Transport transport =
          opened(
              Transport.start(
                  transportConfig(config, nodeId),
                  serves,
                  new PeerMessages(questions, neighbours, handoffs)));
      questions.connect(transport);
      neighbours.connect(transport);

      final PeerTable peers = new PeerTable();
      final IndexFeed feed = new IndexFeed(store, peers, agent);
      final ClusterIndex index =
          opened(
              ClusterIndex.start(
                  indexConfig(config, nodeId, transport.endpoint()), feed, questions));
      feed.connect(index);
      questions.connect(index);
      peers.update(index.members()); // the index tells changes only, and alone there are none
      events.feed(feed);

      final PullRates rates = new PullRates();
      final PullCoordinator pulls =
          new PullCoordinator(
              store,
              events,
              index,
              transport,
              neighbours,
              peers,
              rates,
              peerCounters,
              agent,
              clock);
      handoffs.connect(transport, peers, pulls);
      info = info(config, nodeId, store.incarnation(), index, transport);
      final NodeStats stats =
          new NodeStats(
              info,
              store,
              peers,
              peerCounters,
              new Links(peers, rates),
              pulls,
              serves,
              neighbours,
              handoffs,
              transport,
              index);
      endpoint =
          EngineEndpoint.open(
              runDir,
              agent.selector(),
              new EngineServices(
                  config.node().name(),
                  nodeId,
                  shareBytes(config),
                  chunkBytesMax(config),
                  store,
                  events,
                  pulls,
                  new LoadPlanner(peers, rates, clock),
                  new RateProbe(pulls, rates, transfers, peerCounters, clock),
                  handoffs,
                  feed,
                  index,
                  stats::json,
                  agent,
                  clock));
      agent.start(new Duties(store, pulls, neighbours, handoffs, feed, endpoint));
      closers.push(agent); // it uses all of the above, so it stops before them
      closers.push(() -> agent.call(this::closeEndpoint));
      info.write(runDir);
      closers.push(() -> Files.deleteIfExists(runDir.resolve(NodeInfo.FILE_NAME)));
    } catch (final IOException | RuntimeException e) {
      closeQuietly(e);
      throw e;
    }
  }

  /** What the node says of itself. */
  public NodeInfo info() {
    return info;
  }

  /**
   * Stops: says goodbye to engines, leaves the cluster, finishes transfers. Chunks stay in the slab
   * for the next start. Idempotent.
   *
   * @throws NodeException if something could not be closed; the rest is
   */
  @Override
  public void close() {
    final NodeException problem =
        new NodeException("KVA-0114 node not closed cleanly - name=" + info.name(), null);
    closeQuietly(problem);
    if (problem.getSuppressed().length > 0) {
      throw problem;
    }
  }

  /** The store's oracle, for tests. */
  void assertValid() throws Exception {
    agent.call(
        () -> {
          store.assertValid();
          return true;
        });
  }

  private boolean closeEndpoint() throws IOException {
    endpoint.close();
    return true;
  }

  private <T extends AutoCloseable> T opened(final T part) {
    closers.push(part);
    return part;
  }

  private void closeQuietly(final Exception collector) {
    while (!closers.isEmpty()) {
      try {
        closers.pop().close();
      } catch (final Exception e) {
        collector.addSuppressed(e);
      }
    }
  }

  private static long shareBytes(final NodeConfig config) {
    return (long) (config.store().ownerShare() * config.store().slabBytes());
  }

  private static long chunkBytesMax(final NodeConfig config) {
    return Math.min(config.store().segmentBytes(), shareBytes(config));
  }

  private static StoreConfig storeConfig(final NodeConfig config) {
    final NodeConfig.Store store = config.store();
    return new StoreConfig(
        store.slabDir(),
        config.node().runDir(),
        store.slabBytes(),
        store.segmentBytes(),
        store.maxChunks(),
        store.ownerShare(),
        store.evictionPolicy(),
        store.highWatermark(),
        store.lowWatermark(),
        Runtime.getRuntime().availableProcessors() > 2 ? 2 : 1,
        QUARANTINE_GRACE,
        false);
  }

  private static TransportConfig transportConfig(final NodeConfig config, final long nodeId) {
    final NodeConfig.Transport transport = config.transport();
    return TransportConfig.builder(nodeId, config.cluster().name(), transport.aeronDir())
        .bind(config.cluster().bind(), transport.port())
        .mtuBytes(transport.mtu())
        .termBytes(transport.termBytes())
        .windowBytes(transport.windowBytes())
        .externalDriver(transport.externalDriver())
        .caps(transport.demandBytesPerSecond(), transport.handoffBytesPerSecond())
        .build();
  }

  private static IndexConfig indexConfig(
      final NodeConfig config, final long nodeId, final String transportEndpoint) {
    final NodeConfig.Cluster cluster = config.cluster();
    return new IndexConfig(
        cluster.name(),
        nodeId,
        config.node().name(),
        cluster.bind(),
        cluster.discoveryPort(),
        cluster.communicationPort(),
        cluster.seeds(),
        transportEndpoint,
        config.node().zone(),
        config.store().slabBytes(),
        cluster.voters(),
        config.index().memoryBytes(),
        config.node().runDir().resolve("ignite"));
  }

  private static NodeInfo info(
      final NodeConfig config,
      final long nodeId,
      final long incarnation,
      final ClusterIndex index,
      final Transport transport) {
    return new NodeInfo(
        ProcessHandle.current().pid(),
        config.node().name(),
        HexFormat.of().toHexDigits(nodeId),
        HexFormat.of().toHexDigits(incarnation),
        config.node().runDir().toString(),
        config.node().runDir().resolve(EngineEndpoint.SOCKET_NAME).toString(),
        index.discoveryPort(),
        index.communicationPort(),
        transport.endpoint(),
        config.store().slabDir().toString(),
        Instant.now().toString());
  }

  /** What the node agent does, in the order of one cycle. */
  private record Duties(
      Store store,
      PullCoordinator pulls,
      Neighbours neighbours,
      Handoffs handoffs,
      IndexFeed feed,
      EngineEndpoint endpoint)
      implements NodeAgent.Duty {
    @Override
    public int doWork(final long nowNs) {
      // The endpoint comes last: it sends what the others have answered.
      return store.doWork()
          + pulls.doWork(nowNs)
          + neighbours.doWork(nowNs)
          + handoffs.doWork(nowNs)
          + feed.doWork()
          + endpoint.doWork(nowNs);
    }

    @Override
    public long untilTimerNs(final long nowNs) {
      return Math.min(
          Math.min(pulls.untilDeadlineNs(nowNs), endpoint.untilTimerNs(nowNs)),
          Math.min(
              Math.min(handoffs.untilDeadlineNs(nowNs), feed.untilTimerNs()),
              neighbours.untilTimerNs(nowNs)));
    }

    @Override
    public void selected(final SelectionKey key) {
      endpoint.selected(key);
    }
  }
}
