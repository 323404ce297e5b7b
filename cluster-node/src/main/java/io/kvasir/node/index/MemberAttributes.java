package io.kvasir.node.index;

import java.util.HashMap;
import java.util.Map;
import org.apache.ignite.cluster.ClusterNode;
import org.jspecify.annotations.Nullable;

/** A node's description as Ignite node attributes: JDK types only, under names of our own. */
final class MemberAttributes {
  /**
   * Raised when attributes, index entries or the peer protocol change so that old and new nodes
   * must not share a cluster.
   */
  static final int PROTOCOL_VERSION = 1;

  static final String PROTOCOL = "kvasir.protocol";
  static final String CLUSTER = "kvasir.cluster";
  static final String NODE_ID = "kvasir.node.id";
  private static final String NAME = "kvasir.node.name";
  private static final String ENDPOINT = "kvasir.aeron.endpoint";
  private static final String ZONE = "kvasir.zone";
  private static final String CAPACITY = "kvasir.capacity.bytes";
  private static final String VOTERS = "kvasir.voters";

  private MemberAttributes() {}

  static Map<String, Object> of(final IndexConfig config, final int protocolVersion) {
    final Map<String, Object> attributes = new HashMap<>();
    attributes.put(PROTOCOL, protocolVersion);
    attributes.put(CLUSTER, config.clusterName());
    attributes.put(NODE_ID, config.nodeId());
    attributes.put(NAME, config.nodeName());
    attributes.put(ENDPOINT, config.aeronEndpoint());
    attributes.put(ZONE, config.zone());
    attributes.put(CAPACITY, config.capacityBytes());
    attributes.put(VOTERS, String.join(",", config.voters()));
    return attributes;
  }

  static String zone(final ClusterNode node) {
    return text(node, ZONE);
  }

  /** The node id, or 0, which no member has, if the node does not describe itself. */
  static long nodeId(final ClusterNode node) {
    return node.attribute(NODE_ID) instanceof final Long id ? id : 0;
  }

  static @Nullable ClusterMember member(final ClusterNode node) {
    final Object nodeId = node.attribute(NODE_ID);
    final Object capacity = node.attribute(CAPACITY);
    if (!(nodeId instanceof final Long id) || !(capacity instanceof final Long capacityBytes)) {
      return null;
    }
    return new ClusterMember(
        id,
        text(node, NAME),
        text(node, ENDPOINT),
        text(node, ZONE),
        capacityBytes,
        node.isLocal());
  }

  private static String text(final ClusterNode node, final String name) {
    return node.attribute(name) instanceof final String value ? value : "";
  }
}
