package io.kvasir.cli.status;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.databind.JsonNode;
import io.kvasir.node.NodeInfo;
import java.util.ArrayList;
import java.util.List;

/**
 * One node's answer.
 *
 * @param slabBytes room for chunks
 * @param usedBytes how much of it chunks take, rounding included
 * @param hits chunks loaded from the own slab and from peers since the node started
 * @param misses chunks that loads did not find since the node started
 * @param engines engines that are connected
 * @param members how many nodes it sees in the cluster, itself included
 * @param memberList those nodes
 */
public record NodeStatus(
    String name,
    String nodeId,
    long pid,
    String runDir,
    String startedAt,
    long chunks,
    long chunksMax,
    long usedBytes,
    long slabBytes,
    Hits hits,
    long misses,
    long evictions,
    long bytesPulled,
    long bytesServedToPeers,
    int engines,
    int members,
    @JsonIgnore List<MemberStatus> memberList) {

  /** Loaded chunks by where their bytes were. */
  public record Hits(long local, long peer) {}

  /** A member as a node sees it; {@code local} is the node that was asked. */
  public record MemberStatus(
      String name,
      String nodeId,
      String endpoint,
      String zone,
      long capacityBytes,
      boolean local) {}

  static NodeStatus of(NodeInfo info, JsonNode stats) {
    JsonNode store = stats.path("store");
    JsonNode cache = stats.path("cache");
    JsonNode peers = stats.path("peers");
    List<MemberStatus> members = new ArrayList<>();
    for (JsonNode member : stats.path("members")) {
      members.add(
          new MemberStatus(
              member.path("name").asText(),
              member.path("nodeId").asText(),
              member.path("endpoint").asText(),
              member.path("zone").asText(),
              member.path("capacityBytes").asLong(),
              member.path("local").asBoolean()));
    }
    return new NodeStatus(
        info.name(),
        info.nodeId(),
        info.pid(),
        info.runDir(),
        info.startedAt(),
        store.path("chunks").asLong(),
        store.path("chunksMax").asLong(),
        store.path("usedBytes").asLong(),
        store.path("slabBytes").asLong(),
        new Hits(cache.path("hitsLocal").asLong(), cache.path("hitsPeer").asLong()),
        cache.path("misses").asLong(),
        store.path("evictions").asLong(),
        peers.path("bytesPulled").asLong(),
        peers.path("bytesServed").asLong(),
        stats.path("engines").path("instances").asInt() - 1, // the one that asks
        members.size(),
        List.copyOf(members));
  }
}
