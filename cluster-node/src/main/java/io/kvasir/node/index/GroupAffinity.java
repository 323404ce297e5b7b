package io.kvasir.node.index;

import java.io.Serial;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.ignite.cache.affinity.AffinityKeyMapper;
import org.apache.ignite.cache.affinity.rendezvous.RendezvousAffinityFunction;
import org.apache.ignite.cluster.ClusterNode;
import org.jspecify.annotations.Nullable;

/**
 * Partition from the group, so that all chunks of a prompt stretch lie on one node; nodes by
 * Ignite's rendezvous order, backups in other zones while there are any. One of the two classes of
 * ours inside Ignite.
 *
 * <p>It is the key mapper too: without one Ignite asks the affinity function about the hash of an
 * array, not the array.
 */
@SuppressWarnings(
    "deprecation") // the annotation that replaces a key mapper needs a key class of ours
final class GroupAffinity extends RendezvousAffinityFunction implements AffinityKeyMapper {
  /**
   * Fixed for the life of a cluster; enough to spread over a hundred nodes, few enough to exchange
   * quickly.
   */
  static final int PARTITIONS = 256;

  @Serial private static final long serialVersionUID = 1L;

  GroupAffinity() {
    super(false, PARTITIONS);
  }

  @Override
  public Object affinityKey(final Object key) {
    if (key instanceof final byte[] bytes && bytes.length == IndexKey.BYTES) {
      return IndexKey.groupOf(bytes);
    }
    throw new IllegalArgumentException(
        "KVA-0310 not an index key - type=" + key.getClass().getName());
  }

  @Override
  public int partition(final Object key) {
    return partitionOf((Long) key);
  }

  static int partitionOf(final long group) {
    // A group id is the start of a SHA-256, so its low bits spread by themselves.
    return (int) (group & (PARTITIONS - 1));
  }

  @Override
  public List<ClusterNode> assignPartition(
      final int partition,
      final List<ClusterNode> nodes,
      final int backups,
      final @Nullable Map<UUID, Collection<ClusterNode>> neighbours) {
    final List<ClusterNode> order =
        super.assignPartition(partition, nodes, nodes.size() - 1, neighbours);
    final int copies = (int) Math.min(1L + backups, order.size());
    final List<ClusterNode> chosen = new ArrayList<>(copies);
    for (final ClusterNode node : order) {
      if (chosen.size() < copies
          && chosen.stream()
              .noneMatch(
                  other -> MemberAttributes.zone(other).equals(MemberAttributes.zone(node)))) {
        chosen.add(node);
      }
    }
    for (final ClusterNode node : order) {
      if (chosen.size() < copies && !chosen.contains(node)) {
        chosen.add(node);
      }
    }
    return chosen;
  }
}
