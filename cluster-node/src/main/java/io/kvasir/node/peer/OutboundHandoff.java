package io.kvasir.node.peer;

import io.kvasir.node.store.Owner;
import io.kvasir.node.store.Store;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.PullFailure;
import io.kvasir.transport.ServeRequest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongPredicate;
import org.agrona.collections.Int2IntHashMap;
import org.agrona.collections.LongHashSet;
import org.jspecify.annotations.Nullable;

/**
 * The prefill side of a hand-off. Receivers ask for all slices at once; each slice is answered when
 * the engine has committed it and its checksum is known. A slot belongs to the engine until its
 * first slice is committed, then to the hand-off, because the lane reads from it. Node agent only.
 *
 * <pre>
 *   OPEN --checksum of the last slice--&gt; COMMITTED, pinned until the receivers have it
 *     \--ended before that, directory full--&gt; LOST, its slot kept until the engine says that it
 *         writes no more, or is gone, and the lane has left it; then quarantined
 * </pre>
 */
public final class OutboundHandoff {
  private static final int NONE = -1;

  /** Learns what became of a slice that {@link #commit} took. */
  public interface SliceListener {
    /**
     * The slice may be sent.
     *
     * @param version of the whole chunk if this slice completed it, else 0
     */
    void committed(int index, long version);

    /** The chunk is lost to the hand-off. */
    void failed(int index);
  }

  private enum State {
    OPEN,
    COMMITTED,
    LOST
  }

  /** A slice that a receiver waits for. */
  private record Wanted(ServeRequest request, int index) {}

  private final class Chunk {
    private final int number;
    private final int[] crcs = new int[slices.perChunk()];
    private final BitSet begun = new BitSet();
    private final BitSet known = new BitSet();
    private State state = State.OPEN;
    private int slot = NONE;
    private long version;

    /** It was here before; nothing of it goes out before all of it proved right once more. */
    private boolean isUnproven;

    /** Checksums under way and slices the lane may be reading. */
    private int holds;

    private Chunk(final int number) {
      this.number = number;
    }
  }

  private final Handoffs handoffs;
  private final Store store;
  private final long id;
  private final Owner engine;
  private final ChunkRun run;
  private final Slices slices;
  private final LongHashSet receivers = new LongHashSet();
  private final long deadlineNs;
  private final Chunk[] chunks;
  private final Map<ChunkKey, Integer> chunkNumbers = new HashMap<>();
  private final Map<ChunkKey, Integer> sliceNumbers = new HashMap<>();
  private final Int2IntHashMap bySlot = new Int2IntHashMap(NONE);
  private final Map<Integer, List<Wanted>> wanted = new HashMap<>();
  private boolean isClosing;
  private boolean isEngineDone;
  private boolean isCancelled;
  private boolean isExpired;
  private boolean isSending;
  private int holds;

  OutboundHandoff(
      final Handoffs handoffs,
      final long id,
      final Owner engine,
      final ChunkRun run,
      final Slices slices,
      final long deadlineNs) {
    this.handoffs = handoffs;
    this.store = handoffs.store();
    this.id = id;
    this.engine = engine;
    this.run = run;
    this.slices = slices;
    this.deadlineNs = deadlineNs;
    this.chunks = new Chunk[run.length()];
    Arrays.setAll(chunks, Chunk::new);
    for (int i = 0; i < chunks.length; i++) {
      chunkNumbers.put(run.key(i), i);
      for (int slice = 0; slice < slices.perChunk(); slice++) {
        sliceNumbers.put(Slices.key(id, run.key(i), slice), i * slices.perChunk() + slice);
      }
    }
  }

  /** Whether this engine instance created it. */
  public boolean isOf(final Owner owner) {
    return engine == owner;
  }

  /** The space of its chunks. */
  public int spaceId() {
    return run.space().id();
  }

  /** Nodes that still wait for slices. */
  public int receivers() {
    return receivers.size();
  }

  /** Whether the slot is the hand-off's, to commit slices of. */
  public boolean owns(final int slot) {
    return bySlot.containsKey(slot);
  }

  /**
   * Takes a slot over that the engine has reserved for one of the chunks.
   *
   * @return false if it is for another chunk, the hand-off is closing, or its share is exhausted
   */
  public boolean take(final int slot) {
    final Integer number = chunkNumbers.get(store.key(slot));
    if (number == null || isClosing) {
      return false;
    }
    final Chunk chunk = chunks[number];
    if (chunk.state != State.OPEN
        || chunk.slot != NONE
        || store.epoch(slot) != run.space().epoch()
        || !store.handOver(engine, handoffs.owner(), slot)) {
      return false;
    }
    chunk.slot = slot;
    chunk.version = store.newVersion();
    bySlot.put(slot, number.intValue());
    return true;
  }

  /**
   * All bytes of a slice are written into a slot that {@link #owns}.
   *
   * @param index comes back in the listener
   * @return false if there is no such slice or it was committed before
   */
  public boolean commit(
      final int slot, final int slice, final int index, final SliceListener listener) {
    final int number = bySlot.get(slot);
    final Chunk chunk = chunks[number];
    if (chunk.state != State.OPEN || slice >= slices.perChunk() || chunk.begun.get(slice)) {
      return false;
    }
    summed(number, slice, index, listener);
    return true;
  }

  long id() {
    return id;
  }

  long deadlineNs() {
    return deadlineNs;
  }

  /** Someone who was told of it. */
  void addReceiver(final long nodeId) {
    receivers.add(nodeId);
  }

  boolean isReceiver(final long nodeId) {
    return receivers.contains(nodeId);
  }

  /** Chunks that are in this slab already need no engine. */
  void start() {
    for (int i = 0; i < chunks.length; i++) {
      final int slot = store.find(run.key(i));
      if (slot >= 0
          && store.lengthBytes(slot) == slices.chunkBytes()
          && store.epoch(slot) == run.space().epoch()) {
        final int number = i;
        handoffs.pin(slot, isPinned -> present(number, slot, isPinned));
      }
    }
  }

  private void present(final int number, final int slot, final boolean isPinned) {
    final Chunk chunk = chunks[number];
    if (!isPinned) {
      return;
    }
    if (isClosing || chunk.slot != NONE) {
      store.unpin(handoffs.owner(), slot);
      return;
    }
    chunk.state = State.COMMITTED;
    chunk.isUnproven = true;
    chunk.slot = slot;
    chunk.version = store.version(slot);
    for (int slice = 0; slice < slices.perChunk(); slice++) {
      summed(number, slice, 0, null);
    }
  }

  private void summed(
      final int number, final int slice, final int index, final @Nullable SliceListener listener) {
    final Chunk chunk = chunks[number];
    chunk.begun.set(slice);
    hold(chunk);
    final StoreEvents.Waiter waiter =
        new StoreEvents.Waiter() {
          @Override
          public void checksum(final int slot, final int crc32c) {
            onChecksum(number, slice, crc32c, index, listener);
          }
        };
    store.checksum(
        chunk.slot, slices.offset(slice), slices.length(slice), handoffs.events().register(waiter));
  }

  private void onChecksum(
      final int number,
      final int slice,
      final int crc32c,
      final int index,
      final @Nullable SliceListener listener) {
    final Chunk chunk = chunks[number];
    chunk.crcs[slice] = crc32c;
    chunk.known.set(slice);
    final boolean isLast =
        chunk.state == State.OPEN && chunk.known.cardinality() == slices.perChunk();
    if (isLast) {
      commit(chunk);
    }
    if (chunk.isUnproven) {
      prove(chunk);
    }
    final boolean isUsable = chunk.state != State.LOST;
    if (isUsable && !chunk.isUnproven) {
      giveWanted(chunk, slice);
    }
    if (listener != null) {
      if (isUsable) {
        handoffs.counters().slicesCommitted++;
        listener.committed(index, isLast ? chunk.version : 0);
      } else {
        listener.failed(index);
      }
    }
    release(chunk);
  }

  /** The checksum of its commit has the last word: slices have none of their own from then. */
  private void prove(final Chunk chunk) {
    if (chunk.known.cardinality() < slices.perChunk()) {
      return;
    }
    chunk.isUnproven = false;
    if (slices.combine(chunk.crcs) == store.crc32c(chunk.slot)) {
      for (int slice = 0; slice < slices.perChunk(); slice++) {
        giveWanted(chunk, slice);
      }
      return;
    }
    store.unpin(handoffs.owner(), chunk.slot);
    store.doubt(chunk.slot);
    chunk.slot = NONE;
    chunk.state = State.OPEN;
    lose(chunk);
  }

  private void giveWanted(final Chunk chunk, final int slice) {
    final List<Wanted> waiting = wanted.remove(chunk.number * slices.perChunk() + slice);
    if (waiting != null) {
      waiting.forEach(each -> give(chunk, slice, each.request(), each.index()));
    }
  }

  /** All slices are there: the chunk is one of this node from now on. */
  private void commit(final Chunk chunk) {
    final StoreEvents.Waiter waiter =
        new StoreEvents.Waiter() {
          @Override
          public void committed(final int slot, final long version) {
            chunk.state = State.COMMITTED;
            bySlot.remove(slot);
            // Before anything can evict it; the reservation has just left room in the share.
            handoffs.pin(slot, _ -> {});
            settle(chunk);
          }

          @Override
          public void commitFailed(final int slot, final int code) {
            lose(chunk);
          }
        };
    store.commitParts(
        handoffs.owner(),
        chunk.slot,
        chunk.version,
        slices.combine(chunk.crcs),
        handoffs.events().register(waiter));
  }

  /** Answers a receiver, now or when the slice is committed; false if it asks for no slice. */
  boolean serve(final ServeRequest request, final int index) {
    final Integer number = sliceNumbers.get(request.key(index));
    if (number == null) {
      return false;
    }
    final int slice = number % slices.perChunk();
    final Chunk chunk = chunks[number / slices.perChunk()];
    if (chunk.state == State.LOST || isCancelled || !isReceiver(request.peerNodeId())) {
      request.refused(index, refusal());
    } else if (chunk.known.get(slice) && !chunk.isUnproven) {
      give(chunk, slice, request, index);
    } else if (isClosing && !chunk.begun.get(slice)) {
      request.refused(index, refusal());
    } else {
      want(number, new Wanted(request, index));
    }
    return true;
  }

  /** Who asks again has given the older request up. */
  private void want(final int number, final Wanted asked) {
    final List<Wanted> waiting = wanted.computeIfAbsent(number, _ -> new ArrayList<>(1));
    final long peerNodeId = asked.request().peerNodeId();
    waiting.removeIf(
        older -> {
          final boolean isOfPeer = older.request().peerNodeId() == peerNodeId;
          if (isOfPeer) {
            older.request().refused(older.index(), PullFailure.CANCELLED);
          }
          return isOfPeer;
        });
    waiting.add(asked);
  }

  /** Why a slice that nobody commits any more is refused. */
  PullFailure refusal() {
    if (isCancelled) {
      return PullFailure.CANCELLED;
    }
    return isExpired ? PullFailure.DEADLINE : PullFailure.MISSING;
  }

  private void give(
      final Chunk chunk, final int slice, final ServeRequest request, final int index) {
    hold(chunk);
    if (!isSending) {
      isSending = true;
      handoffs.counters().firstSliceNs = System.nanoTime();
    }
    request.found(
        index,
        store.memory(chunk.slot).asSlice(slices.offset(slice), slices.length(slice)),
        chunk.version,
        chunk.crcs[slice]);
  }

  /** The lane no longer reads a slice; false if the request was for none. */
  boolean finished(final ServeRequest request, final int index) {
    final Integer number = sliceNumbers.get(request.key(index));
    if (number == null) {
      return false;
    }
    release(chunks[number / slices.perChunk()]);
    return true;
  }

  /** A receiver waits no longer. */
  void left(final long nodeId) {
    receivers.remove(nodeId);
    settle();
  }

  /** Receivers that are no members any more wait no longer. */
  void retain(final LongPredicate isMember) {
    receivers.removeIfLong(nodeId -> !isMember.test(nodeId));
    settle();
  }

  /** The engine writes into slots of this hand-off no more: it said so, or is gone. */
  void engineDone() {
    isEngineDone = true;
    close(false);
  }

  /** No more slices will be committed; with {@code cancel} none go out any more either. */
  void close(final boolean cancel) {
    isClosing = true;
    isCancelled |= cancel;
    for (final Chunk chunk : chunks) {
      if (chunk.begun.cardinality() < slices.perChunk()) {
        lose(chunk);
      }
    }
    if (isCancelled) {
      receivers.clear();
      wanted.values().forEach(this::refuse);
      wanted.clear();
    }
    settle();
  }

  /** The deadline passed. */
  void expire() {
    isExpired = true;
    receivers.clear();
    close(false);
  }

  boolean isExpired() {
    return isExpired;
  }

  /** Whether nothing happens any more. */
  boolean isDone() {
    return holds == 0
        && receivers.isEmpty()
        && (isClosing || Arrays.stream(chunks).allMatch(c -> c.state == State.COMMITTED))
        && Arrays.stream(chunks).noneMatch(c -> c.state == State.LOST && c.slot != NONE);
  }

  /** Gives up the pins. */
  void retire() {
    isClosing = true;
    wanted.values().forEach(this::refuse);
    wanted.clear();
    for (final Chunk chunk : chunks) {
      if (chunk.state == State.COMMITTED && chunk.slot != NONE) {
        store.unpin(handoffs.owner(), chunk.slot);
        chunk.slot = NONE;
      }
    }
  }

  private void refuse(final List<Wanted> waiting) {
    waiting.forEach(each -> each.request().refused(each.index(), refusal()));
  }

  private void lose(final Chunk chunk) {
    if (chunk.state != State.OPEN) {
      return;
    }
    chunk.state = State.LOST;
    for (int slice = 0; slice < slices.perChunk(); slice++) {
      final List<Wanted> waiting = wanted.remove(chunk.number * slices.perChunk() + slice);
      if (waiting != null) {
        refuse(waiting);
      }
    }
    settle(chunk);
  }

  private void hold(final Chunk chunk) {
    chunk.holds++;
    holds++;
  }

  private void release(final Chunk chunk) {
    chunk.holds--;
    holds--;
    settle(chunk);
    handoffs.retireIfDone(this);
  }

  private void settle() {
    Arrays.stream(chunks).forEach(this::settle);
    handoffs.retireIfDone(this);
  }

  /** Gives a slot up that nobody reads any more, or writes. */
  private void settle(final Chunk chunk) {
    if (chunk.holds > 0 || chunk.slot == NONE) {
      return;
    }
    if (chunk.state == State.LOST && isEngineDone) {
      bySlot.remove(chunk.slot);
      store.quarantine(handoffs.owner(), chunk.slot);
      chunk.slot = NONE;
    } else if (chunk.state == State.COMMITTED && isClosing && receivers.isEmpty()) {
      store.unpin(handoffs.owner(), chunk.slot);
      chunk.slot = NONE;
    }
  }
}
