package io.kvasir.node.peer;

import io.kvasir.node.index.ClusterMember;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.agrona.collections.Long2LongHashMap;
import org.agrona.collections.Long2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The other members, and which of them lately did not answer. A dead member stays in the membership
 * for seconds; without this memory each pull would find out again. Node agent only.
 */
public final class PeerTable {
  private static final long AVOID_NS = TimeUnit.SECONDS.toNanos(3);

  private final Long2ObjectHashMap<ClusterMember> members = new Long2ObjectHashMap<>();
  private final Long2LongHashMap avoidUntilNs = new Long2LongHashMap(0);
  private List<ClusterMember> all = List.of();
  private final List<Runnable> listeners = new ArrayList<>();

  /** Told after every change of members. */
  void onChange(final Runnable listener) {
    listeners.add(listener);
  }

  /** Replaces the members. */
  public void update(final List<ClusterMember> now) {
    all = now;
    members.clear();
    for (final ClusterMember member : now) {
      if (!member.local()) {
        members.put(member.nodeId(), member);
      }
    }
    avoidUntilNs.keySet().removeIfLong(nodeId -> !members.containsKey(nodeId));
    listeners.forEach(Runnable::run);
  }

  /** Is it another member of the cluster now? */
  boolean contains(final long nodeId) {
    return members.containsKey(nodeId);
  }

  /** All members, the local one included. */
  public List<ClusterMember> all() {
    return all;
  }

  /** It did not answer: ask others for a while. */
  void avoid(final long nodeId, final long nowNs) {
    avoidUntilNs.put(nodeId, nowNs + AVOID_NS);
  }

  /** It answered. */
  void answered(final long nodeId) {
    avoidUntilNs.remove(nodeId);
  }

  /** Where to dial the member, or null if it is gone or avoided. */
  @Nullable String endpoint(final long nodeId, final long nowNs) {
    final ClusterMember member = members.get(nodeId);
    if (member == null) {
      return null;
    }
    if (avoidUntilNs.containsKey(nodeId)) {
      if (avoidUntilNs.get(nodeId) - nowNs > 0) {
        return null;
      }
      avoidUntilNs.remove(nodeId);
    }
    return member.aeronEndpoint();
  }
}
