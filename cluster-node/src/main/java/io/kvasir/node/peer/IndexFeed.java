package io.kvasir.node.peer;

import io.kvasir.node.index.ClusterIndex;
import io.kvasir.node.index.ClusterMember;
import io.kvasir.node.index.MembershipListener;
import io.kvasir.node.store.SlotState;
import io.kvasir.node.store.Store;
import io.kvasir.placement.ChunkKey;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.agrona.collections.IntArrayList;
import org.jspecify.annotations.Nullable;

/**
 * Between this node and the cluster's index: tells the index what this node holds, changes as they
 * happen and everything again when the index may miss some, and keeps the table of peers. The index
 * calls from its threads; the work is done on the node agent.
 */
public final class IndexFeed implements MembershipListener {
  /** A sweep leaves this part of the index's queue to fresh changes. */
  private static final int ROOM_LEFT = ClusterIndex.announceRoomMax() / 2;

  private static final long SWEEP_PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(2);

  private final Store store;
  private final PeerTable peers;
  private final Executor agent;
  private final Map<ChunkKey, Runnable> awaited = new HashMap<>();
  private final IntArrayList sweep = new IntArrayList();
  private @Nullable ClusterIndex index;

  /**
   * @param agent runs tasks on the node agent
   */
  public IndexFeed(final Store store, final PeerTable peers, final Executor agent) {
    this.store = store;
    this.peers = peers;
    this.agent = agent;
  }

  /** Feeds this index from now on, which was started with this object as its listener. */
  public void connect(final ClusterIndex clusterIndex) {
    index = clusterIndex;
    // A node that is alone has no change of members to hear of.
    membersChanged(clusterIndex.members());
  }

  @Override
  public void membersChanged(final List<ClusterMember> members) {
    // The newest list counts, whatever order the tasks come in.
    agent.execute(() -> peers.update(index == null ? members : index.members()));
  }

  @Override
  public void reannounceNeeded() {
    agent.execute(this::announceAll);
  }

  /** Runs the task when the index names this node as a holder of the chunk about to be added. */
  public void awaitIndexed(final ChunkKey key, final Runnable whenIndexed) {
    awaited.put(key, whenIndexed);
  }

  /** Nobody waits any more. */
  public void forget(final ChunkKey key) {
    awaited.remove(key);
  }

  /** Goes on with a sweep while the index has room. */
  public int doWork() {
    int work = 0;
    while (index != null && !sweep.isEmpty() && index.announceRoom() > ROOM_LEFT) {
      final int slot = sweep.removeAt(sweep.size() - 1);
      // What came into a slot since the sweep began was announced when it came.
      if (store.state(slot) == SlotState.COMMITTED) {
        index.announce(
            store.key(slot), store.group(slot), store.lengthBytes(slot), store.version(slot), null);
        work++;
      }
    }
    return work;
  }

  /** Nanoseconds until {@link #doWork} has to look again whether the index has room. */
  public long untilTimerNs() {
    return sweep.isEmpty() ? Long.MAX_VALUE : SWEEP_PAUSE_NS;
  }

  void added(final ChunkKey key, final long group, final long version, final int lengthBytes) {
    final Runnable whenIndexed = awaited.remove(key);
    if (index != null) {
      index.announce(
          key,
          group,
          lengthBytes,
          version,
          whenIndexed == null ? null : _ -> agent.execute(whenIndexed));
    }
  }

  void removed(final ChunkKey key, final long group, final long version) {
    if (index != null) {
      index.withdraw(key, group, version);
    }
  }

  private void announceAll() {
    sweep.clear();
    store.forEachCommitted((slot, _, _, _, _) -> sweep.addInt(slot));
  }
}
