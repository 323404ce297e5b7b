package io.kvasir.node.peer;

import io.kvasir.node.index.ClusterMember;
import java.util.ArrayList;
import java.util.List;
import org.agrona.collections.Long2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The other members, and which of them lately did not answer. A dead member stays in the membership
 * for seconds; without this memory each pull would find out again. Node agent only.
 */
public final class PeerTable {
  private final Long2ObjectHashMap<ClusterMember> members = new Long2ObjectHashMap<>();
  private final Long2ObjectHashMap<Breaker> breakers = new Long2ObjectHashMap<>();
  private List<ClusterMember> all = List.of();
  private final List<Runnable> listeners = new ArrayList<>();
  private long breakersOpened;

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
    breakers.keySet().removeIfLong(nodeId -> !members.containsKey(nodeId));
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

  /** The member is being asked for chunks. */
  void asked(final long nodeId, final long nowNs) {
    final Breaker breaker = breakers.get(nodeId);
    if (breaker != null) {
      breaker.asked(nowNs);
    }
  }

  /** A pull from it failed because it did not answer, or not as it should. */
  void failed(final long nodeId, final long pullId, final long nowNs) {
    if (breakers.computeIfAbsent(nodeId, _ -> new Breaker()).failed(pullId, nowNs)) {
      breakersOpened++;
    }
  }

  /** It answered. */
  void answered(final long nodeId) {
    final Breaker breaker = breakers.get(nodeId);
    if (breaker != null) {
      breaker.answered();
    }
  }

  /** Where its breaker stands. */
  Breaker.State breaker(final long nodeId) {
    final Breaker breaker = breakers.get(nodeId);
    return breaker == null ? Breaker.State.CLOSED : breaker.state();
  }

  /** Times that a member began not to be asked. */
  public long breakersOpened() {
    return breakersOpened;
  }

  /** Where to dial the member, or null if it is gone or not to be asked now. */
  @Nullable String endpoint(final long nodeId, final long nowNs) {
    final ClusterMember member = members.get(nodeId);
    final Breaker breaker = breakers.get(nodeId);
    return member == null || (breaker != null && !breaker.mayAsk(nowNs))
        ? null
        : member.aeronEndpoint();
  }
}
