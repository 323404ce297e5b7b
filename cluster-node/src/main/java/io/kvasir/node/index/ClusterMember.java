package io.kvasir.node.index;

/**
 * A node of the cluster as its attributes describe it.
 *
 * @param aeronEndpoint {@code host:port} to dial for chunks
 * @param local this very node
 */
public record ClusterMember(
    long nodeId,
    String name,
    String aeronEndpoint,
    String zone,
    long capacityBytes,
    boolean local) {}
