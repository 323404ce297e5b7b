package io.kvasir.node.peer;

import io.kvasir.connectors.protocol.ChunkSource;
import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.node.index.Holders;
import io.kvasir.node.store.Owner;
import io.kvasir.node.store.Store;
import io.kvasir.node.store.StoreCodes;
import java.util.Arrays;
import org.agrona.collections.IntArrayList;
import org.jspecify.annotations.Nullable;

/**
 * Makes the leading chunks of a run resident and pinned for one engine. Chunks of this slab are
 * pinned at once; for the rest the index names holders, space for all of them is reserved before
 * anything is promised, and they are pulled. The first chunk that cannot be had ends the run there.
 * Nothing waits for space, so operations cannot block each other. Node agent only.
 */
public final class AcquireOperation {
  /** What is known of one chunk. */
  private enum Chunk {
    /** Not in this slab; the index is being asked. */
    ABSENT,
    /** Pinned as soon as its checksum is verified, the first time after a restart. */
    VERIFYING,
    /** Being pulled into a slot reserved by this operation. */
    PULLING,
    /** Being pulled by another operation. */
    FOLLOWING,
    /** Resident and pinned by this operation. */
    PINNED,
    /** No longer of interest. */
    DROPPED
  }

  private final PullCoordinator coordinator;
  private final Store store;
  private final long id;
  private final Owner owner;
  private final ChunkRun run;
  private final AcquireListener listener;
  private final long deadlineNs;
  private final Chunk[] chunks;
  private final int[] slots;
  private final boolean[] fromPeer;
  private @Nullable Holders @Nullable [] holders;
  private @Nullable InboundHandoff handoff;
  private int target;
  private int ready;
  private EndReason endReason = EndReason.COMPLETE;
  private boolean acquired;
  private boolean ended;
  private boolean released;

  AcquireOperation(
      final PullCoordinator coordinator,
      final long id,
      final Owner owner,
      final ChunkRun run,
      final long deadlineNs,
      final AcquireListener listener) {
    this.coordinator = coordinator;
    this.store = coordinator.store();
    this.id = id;
    this.owner = owner;
    this.run = run;
    this.deadlineNs = deadlineNs;
    this.listener = listener;
    this.chunks = new Chunk[run.length()];
    this.slots = new int[run.length()];
    this.fromPeer = new boolean[run.length()];
    this.target = run.length();
    Arrays.fill(chunks, Chunk.ABSENT);
  }

  /** The asker's name for this operation. */
  public long id() {
    return id;
  }

  public ChunkRun run() {
    return run;
  }

  /** Slot of a ready chunk. */
  public int slot(final int index) {
    return slots[index];
  }

  /** Where a ready chunk came from. */
  public ChunkSource source(final int index) {
    return fromPeer[index] ? ChunkSource.PEER : ChunkSource.LOCAL;
  }

  public int readyChunks() {
    return ready;
  }

  public boolean isEnded() {
    return ended;
  }

  /** Ends the operation if it has not ended, and gives up all its pins. */
  public void release() {
    end(EndReason.RELEASED);
    if (!released) {
      released = true;
      for (int i = 0; i < ready; i++) {
        store.unpin(owner, slots[i]);
        chunks[i] = Chunk.DROPPED;
      }
    }
  }

  Owner owner() {
    return owner;
  }

  long deadlineNs() {
    return deadlineNs;
  }

  /** Pins what is here and asks the index for the rest. */
  void start() {
    final IntArrayList absent = new IntArrayList();
    for (int i = 0; i < target; i++) {
      if (!pinLocal(i)) {
        absent.addInt(i);
      }
    }
    while (!absent.isEmpty() && absent.getInt(absent.size() - 1) >= target) {
      absent.removeAt(absent.size() - 1);
    }
    if (absent.isEmpty()) {
      promise();
    } else {
      coordinator.locate(this, absent.toIntArray());
    }
  }

  /** Instead of {@link #start}: a hand-off brings what is not here. */
  void handedOff(final InboundHandoff from) {
    if (ended) {
      return;
    }
    handoff = from;
    for (int i = 0; i < target; i++) {
      obtain(i);
    }
    promise();
  }

  /** The index answered: reserves space for what others hold, up to the first chunk nobody has. */
  void located(final int[] absent, final @Nullable Holders[] perAbsent) {
    if (ended) {
      return;
    }
    final @Nullable Holders[] perChunk = new @Nullable Holders[chunks.length];
    for (int i = 0; i < absent.length; i++) {
      perChunk[absent[i]] = perAbsent[i];
    }
    holders = perChunk;
    for (int i = 0; i < absent.length && absent[i] < target; i++) {
      obtain(absent[i]);
    }
    promise();
  }

  /** The deadline passed, the asker left, or there is nothing more to get. */
  void end(final EndReason reason) {
    if (ended) {
      return;
    }
    cut(ready, reason);
    if (!acquired) {
      acquired = true;
      listener.acquired(this, ready);
    }
    ended = true;
    coordinator.ended(this, reason, run.length() - ready);
    listener.ended(this, ready, endReason);
  }

  /** A pull brought the chunk, perhaps one that another operation asked for. */
  void arrived(final int index, final int slot) {
    if (index >= target) {
      return;
    }
    if (pinNow(index, slot)) {
      fromPeer[index] = true;
    } else {
      cut(index, EndReason.FAILED);
    }
    progress();
  }

  /** No holder could deliver the chunk. */
  void lost(final int index, final EndReason reason) {
    if (index < target) {
      cut(index, reason);
      progress();
    }
  }

  /** The pull this operation followed came to nothing: try by itself. */
  void followInVain(final int index) {
    if (index < target) {
      obtain(index);
      progress();
    }
  }

  private void promise() {
    acquired = true;
    listener.acquired(this, target);
    progress();
  }

  /** Tells the asker what became ready, in order. */
  private void progress() {
    if (!acquired || ended) {
      return;
    }
    final int first = ready;
    while (ready < target && chunks[ready] == Chunk.PINNED) {
      ready++;
    }
    if (ready > first) {
      coordinator.counters().ready(fromPeer, first, ready);
      listener.ready(this, first, ready - first);
    }
    if (ready == target) {
      end(endReason);
    }
  }

  /** The run ends before this chunk. */
  private void cut(final int index, final EndReason reason) {
    if (index > target || (index == target && endReason != EndReason.COMPLETE)) {
      return;
    }
    for (int i = index; i < target; i++) {
      if (chunks[i] == Chunk.PINNED) {
        store.unpin(owner, slots[i]);
      }
      // What is being verified or pulled is given up when its answer comes.
      chunks[i] = Chunk.DROPPED;
    }
    if (index < run.length()) {
      endReason = reason;
    }
    target = index;
  }

  /** Gets a chunk that was not here when the operation began. */
  private void obtain(final int index) {
    if (pinLocal(index) || index >= target) {
      return;
    }
    final ChunkPull running = coordinator.running(run.key(index));
    if (running != null) {
      chunks[index] = Chunk.FOLLOWING;
      running.followers.add(new ChunkPull.Follower(this, index));
      return;
    }
    final InboundHandoff from = handoff;
    if (from != null) {
      if (from.follow(index, run.key(index), run.space())) {
        chunks[index] = Chunk.FOLLOWING;
      } else {
        cut(index, from.reason(run.key(index)));
      }
      return;
    }
    final Holders known = holders == null ? null : holders[index];
    if (known == null || known.lengthBytes() != run.space().chunkBytes()) {
      cut(index, EndReason.MISSING);
      return;
    }
    final int slot =
        store.reserveForPull(
            owner,
            run.key(index),
            run.group(index),
            run.space().id(),
            run.space().epoch(),
            run.space().chunkBytes());
    if (slot >= 0) {
      chunks[index] = Chunk.PULLING;
      coordinator.begin(new ChunkPull(this, index, slot, known));
    } else {
      // BUSY: an engine is computing this very chunk; waiting for it could take forever.
      cut(index, slot == StoreCodes.BUSY ? EndReason.MISSING : EndReason.NO_SPACE);
    }
  }

  /**
   * @return true if the chunk is in this slab and its pin holds or is on the way, or if the run was
   *     cut here
   */
  private boolean pinLocal(final int index) {
    final int slot = store.find(run.key(index));
    if (slot < 0
        || store.lengthBytes(slot) != run.space().chunkBytes()
        || store.epoch(slot) != run.space().epoch()) {
      return false;
    }
    if (!pinNow(index, slot)) {
      cut(index, EndReason.NO_SPACE);
    }
    return true;
  }

  private boolean pinNow(final int index, final int slot) {
    slots[index] = slot;
    final long cookie = coordinator.events().register(new Verification(index));
    return switch (store.pin(owner, slot, cookie)) {
      case StoreCodes.PINNED -> {
        coordinator.events().forget(cookie);
        chunks[index] = Chunk.PINNED;
        yield true;
      }
      case StoreCodes.VERIFYING -> {
        chunks[index] = Chunk.VERIFYING;
        yield true;
      }
      default -> {
        coordinator.events().forget(cookie);
        yield false;
      }
    };
  }

  /** Waits until a chunk's checksum is verified, the first time after a restart. */
  private final class Verification implements StoreEvents.Waiter {
    private final int index;

    private Verification(final int index) {
      this.index = index;
    }

    @Override
    public void pinVerified(final int slot, final boolean ok) {
      if (chunks[index] != Chunk.VERIFYING) {
        if (ok) {
          store.unpin(owner, slot);
        }
        return;
      }
      if (ok) {
        chunks[index] = Chunk.PINNED;
      } else {
        cut(index, EndReason.FAILED);
      }
      progress();
    }
  }
}
