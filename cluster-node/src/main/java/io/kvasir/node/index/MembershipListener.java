package io.kvasir.node.index;

import java.util.List;

/**
 * What the index tells its node. Calls come one at a time from threads of the index and may only
 * hand over.
 */
public interface MembershipListener {
  /**
   * The members as seen from here, the local one included; alone in the list while this node is cut
   * off or rejoining.
   */
  void membersChanged(List<ClusterMember> members);

  /**
   * The index may miss entries of this node: after every join, after dropped announcements, after a
   * loss of index partitions. Announce every committed chunk again, a few at a time, only while
   * {@link ClusterIndex#announceRoom()} is large. A call during a running sweep starts it over.
   */
  void reannounceNeeded();
}
