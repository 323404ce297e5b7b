package io.kvasir.node.index;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a node needs to join the index.
 *
 * @param clusterName nodes of another cluster name are refused at join
 * @param nodeId non-zero, unique in the cluster, kept over restarts
 * @param nodeName for people
 * @param bindAddress the one address discovery and communication listen on
 * @param discoveryPort 1024..65535, or 0 for any free port
 * @param communicationPort 1024..65535, or 0 for any free port
 * @param seeds {@code host:port} of discovery ports to try first; the own one is added
 * @param aeronEndpoint {@code host:port} peers dial for chunks
 * @param zone copies of an index entry avoid sharing it
 * @param capacityBytes of the slab, shown to the others
 * @param voters names of the nodes that will decide membership questions; carried, not yet used
 * @param memoryBytes off-heap limit for this node's share of the index; the coldest entries go when
 *     it is full
 * @param workDirectory for the few files Ignite writes
 */
public record IndexConfig(
    String clusterName,
    long nodeId,
    String nodeName,
    String bindAddress,
    int discoveryPort,
    int communicationPort,
    List<String> seeds,
    String aeronEndpoint,
    String zone,
    long capacityBytes,
    List<String> voters,
    long memoryBytes,
    Path workDirectory) {

  /** Ignite refuses smaller regions, and an empty cache of 256 partitions needs a few of these. */
  public static final long MEMORY_BYTES_MIN = 32L << 20;

  public IndexConfig {
    seeds = List.copyOf(seeds);
    voters = List.copyOf(voters);
    final List<String> problems = new ArrayList<>();
    if (clusterName.isBlank()) {
      problems.add("cluster.name must not be blank");
    }
    if (nodeId == 0) {
      problems.add("nodeId must not be 0");
    }
    checkPort("cluster.discovery-port", discoveryPort, problems);
    checkPort("cluster.communication-port", communicationPort, problems);
    if (discoveryPort != 0 && discoveryPort == communicationPort) {
      problems.add(
          "cluster.discovery-port and cluster.communication-port must differ, both are "
              + discoveryPort);
    }
    for (final String seed : seeds) {
      if (!seed.matches("[^\\s:]+:\\d{1,5}|\\[[0-9a-fA-F:.]+]:\\d{1,5}")) {
        problems.add("cluster.seeds=" + seed + " must be host:port");
      }
    }
    if (capacityBytes < 0) {
      problems.add("capacityBytes=" + capacityBytes + " must not be negative");
    }
    if (memoryBytes < MEMORY_BYTES_MIN) {
      problems.add("index.memory-bytes=" + memoryBytes + " must be at least " + MEMORY_BYTES_MIN);
    }
    if (!problems.isEmpty()) {
      throw new IndexException(
          "KVA-0300 index configuration rejected - " + String.join("; ", problems));
    }
  }

  private static void checkPort(final String name, final int port, final List<String> problems) {
    if (port != 0 && (port < 1024 || port > 65_535)) {
      problems.add(name + "=" + port + " must be 0 or 1024..65535");
    }
  }

  IndexConfig withPorts(final int discovery, final int communication) {
    return new IndexConfig(
        clusterName,
        nodeId,
        nodeName,
        bindAddress,
        discovery,
        communication,
        seeds,
        aeronEndpoint,
        zone,
        capacityBytes,
        voters,
        memoryBytes,
        workDirectory);
  }
}
