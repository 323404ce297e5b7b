package io.kvasir.node;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kvasir.node.engine.EngineCounters;
import io.kvasir.node.engine.EngineEndpoint;
import io.kvasir.node.index.ClusterIndex;
import io.kvasir.node.index.ClusterMember;
import io.kvasir.node.index.IndexStats;
import io.kvasir.node.peer.HandoffCounters;
import io.kvasir.node.peer.Handoffs;
import io.kvasir.node.peer.Links;
import io.kvasir.node.peer.Neighbours;
import io.kvasir.node.peer.PeerCounters;
import io.kvasir.node.peer.PeerTable;
import io.kvasir.node.peer.PullCoordinator;
import io.kvasir.node.peer.ServeCoordinator;
import io.kvasir.node.store.Store;
import io.kvasir.node.store.StoreStats;
import io.kvasir.transport.Transport;
import io.kvasir.transport.TransportStats;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/** The JSON that STATS answers ({@code docs/reference/stats.md}). Node agent only. */
final class NodeStats {
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  private final NodeInfo info;
  private final Store store;
  private final PeerTable peers;
  private final PeerCounters peerCounters;
  private final Links links;
  private final PullCoordinator pulls;
  private final ServeCoordinator serves;
  private final Neighbours neighbours;
  private final Handoffs handoffs;
  private final Transport transport;
  private final ClusterIndex index;

  NodeStats(
      final NodeInfo info,
      final Store store,
      final PeerTable peers,
      final PeerCounters peerCounters,
      final Links links,
      final PullCoordinator pulls,
      final ServeCoordinator serves,
      final Neighbours neighbours,
      final Handoffs handoffs,
      final Transport transport,
      final ClusterIndex index) {
    this.info = info;
    this.store = store;
    this.peers = peers;
    this.peerCounters = peerCounters;
    this.links = links;
    this.pulls = pulls;
    this.serves = serves;
    this.neighbours = neighbours;
    this.handoffs = handoffs;
    this.transport = transport;
    this.index = index;
  }

  byte[] json(final EngineEndpoint engines) {
    final ObjectNode json = MAPPER.createObjectNode();
    json.put("node", info.name());
    json.put("nodeId", info.nodeId());
    json.put("pid", info.pid());
    json.put("incarnation", info.incarnation());
    json.put("startedAt", info.startedAt());
    store(json.putObject("store"), store.stats());
    cache(json.putObject("cache"), engines.counters());
    engines(json.putObject("engines"), engines);
    peers(json.putObject("peers"));
    links(json.putArray("links"));
    handoffs(json.putObject("handoffs"));
    index(json.putObject("index"), index.stats());
    final ArrayNode members = json.putArray("members");
    for (final ClusterMember member : peers.all()) {
      members
          .addObject()
          .put("nodeId", HexFormat.of().toHexDigits(member.nodeId()))
          .put("name", member.name())
          .put("endpoint", member.aeronEndpoint())
          .put("zone", member.zone())
          .put("capacityBytes", member.capacityBytes())
          .put("local", member.local());
    }
    return json.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static void store(final ObjectNode json, final StoreStats stats) {
    json.put("slabBytes", stats.slabBytes());
    json.put("usedBytes", stats.usedBytes());
    json.put("freeBytes", stats.slabBytes() - stats.usedBytes());
    json.put("payloadBytes", stats.payloadBytes());
    json.put("largestFreeBytes", stats.largestFreeBytes());
    json.put("internalWaste", stats.internalWaste());
    json.put("externalFragmentation", stats.externalFragmentation());
    json.put("chunks", stats.committedChunks());
    json.put("chunksMax", stats.maxChunks());
    json.put("reserved", stats.reservedSlots());
    json.put("quarantined", stats.quarantinedSlots());
    json.put("pinned", stats.pinnedSlots());
    json.put("unverified", stats.unverifiedChunks());
    json.put("commits", stats.commits());
    json.put("pulledCommits", stats.pulledCommits());
    json.put("evictions", stats.evictions());
    json.put("refusedNoSpace", stats.refusedNoSpace());
    json.put("refusedOverShare", stats.refusedOverShare());
    json.put("refusedTooLarge", stats.refusedTooLarge());
    json.put("adopted", stats.adoptedChunks());
    json.put("vanished", stats.vanishedReservations());
    json.put("slotTableBytes", stats.slotTableBytes());
    json.put("directoryBytes", stats.directoryBytes());
    json.put("openMillis", stats.openMillis());
  }

  private void cache(final ObjectNode json, final EngineCounters engines) {
    final StoreStats stats = store.stats();
    json.put("lookups", engines.lookups());
    json.put("lookupChunks", engines.lookupChunks());
    json.put("lookupFound", engines.lookupFound());
    json.put("lookupWorth", engines.lookupWorth());
    json.put("acquires", engines.acquires());
    json.put("releases", engines.releases());
    json.put("commitRequests", engines.commits());
    json.put("hitsLocal", peerCounters.hitsLocal());
    json.put("hitsPeer", peerCounters.hitsPeer());
    json.put("misses", peerCounters.misses());
    json.put("corruptions", peerCounters.corruptPulls() + stats.corruptChunks());
    json.put("corruptPulls", peerCounters.corruptPulls());
    json.put("corruptChunks", stats.corruptChunks());
  }

  private static void engines(final ObjectNode json, final EngineEndpoint engines) {
    final EngineCounters counters = engines.counters();
    json.put("instances", engines.engines());
    json.put("sessions", engines.sessions());
    json.put("sessionsOpened", counters.sessionsOpened());
    json.put("sessionsClosed", counters.sessionsClosed());
    json.put("sessionsRefused", counters.sessionsRefused());
    json.put("malformedFrames", counters.malformedFrames());
    json.put("slowReaders", counters.slowReaders());
    json.put("silentSockets", counters.silentSockets());
    json.put("internalErrors", counters.internalErrors());
  }

  private void peers(final ObjectNode json) {
    final TransportStats stats = transport.stats();
    json.put("bytesPulled", peerCounters.bytesPulled());
    json.put("bytesServed", peerCounters.bytesServed());
    json.put("bytesSent", stats.bytesSent());
    json.put("bytesReceived", stats.bytesReceived());
    json.put("bytesCopied", peerCounters.bytesCopied());
    json.put("bytesLent", peerCounters.bytesLent());
    json.put("neighbours", neighbours.open());
    json.put("neighboursMapped", neighbours.mapped());
    json.put("neighboursRefused", peerCounters.neighboursRefused());
    json.put("acquiresUnfinished", pulls.unfinished());
    json.put("pullsRunning", pulls.running());
    json.put("servesOpen", serves.open());
    json.put("serveRequests", peerCounters.serveRequests());
    json.put("failedOver", peerCounters.pullsFailedOver());
    json.put("hedges", peerCounters.hedges());
    json.put("hedgesWon", peerCounters.hedgesWon());
    json.put("bytesHedged", peerCounters.bytesHedged());
    json.put("breakersOpened", peers.breakersOpened());
    json.put("rateProbes", peerCounters.rateProbes());
    json.put("staleEntries", peerCounters.staleEntries());
    json.put("chunksFailed", stats.chunksFailed());
    json.put("chunksRefused", stats.chunksRefused());
    json.put("sessions", stats.sessionsOpen());
    json.put("strangersRefused", stats.strangersRefused());
    json.put("protocolErrors", stats.protocolErrors());
    json.put("aeronErrors", stats.aeronErrors());
    json.put("notesDropped", stats.notesDropped());
    json.put("driverStarts", stats.driverStarts());
  }

  private void links(final ArrayNode json) {
    for (final Links.Link link : links.all()) {
      json.addObject()
          .put("nodeId", HexFormat.of().toHexDigits(link.nodeId()))
          .put("breaker", link.breaker())
          .put("bytesPerSecond", link.bytesPerSecond())
          .put("startUs", link.startUs())
          .put("bytesOnTheWay", link.bytesOnTheWay());
    }
  }

  private void handoffs(final ObjectNode json) {
    final HandoffCounters counters = handoffs.counters();
    json.put("outboundOpen", handoffs.openOutbound());
    json.put("inboundOpen", handoffs.openInbound());
    json.put("created", counters.created());
    json.put("offered", counters.offered());
    json.put("declined", counters.declined());
    json.put("dropped", counters.dropped());
    json.put("awaits", counters.awaits());
    json.put("cancelled", counters.cancelled());
    json.put("slicesCommitted", counters.slicesCommitted());
    json.put("slicesReceived", counters.slicesReceived());
    json.put("chunksReceived", counters.chunksReceived());
    json.put("chunksLost", counters.chunksLost());
    json.put("firstSliceNs", counters.firstSliceNs());
    json.put("lastSliceNs", counters.lastSliceNs());
  }

  private static void index(final ObjectNode json, final IndexStats stats) {
    json.put("queued", stats.queued());
    json.put("indexed", stats.indexed());
    json.put("batches", stats.batches());
    json.put("retries", stats.retries());
    json.put("dropped", stats.dropped());
    json.put("lookups", stats.lookups());
    json.put("lookupsLate", stats.lookupsLate());
    json.put("lookupsRefused", stats.lookupsRefused());
    json.put("lookupsFailed", stats.lookupsFailed());
    json.put("questionsAnswered", stats.questionsAnswered());
    json.put("questionsDropped", stats.questionsDropped());
    json.put("rejoins", stats.rejoins());
  }
}
