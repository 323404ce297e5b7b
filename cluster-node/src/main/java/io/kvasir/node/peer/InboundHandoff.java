package io.kvasir.node.peer;

import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.node.store.Store;
import io.kvasir.node.store.StoreCodes;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.PullChunk;
import io.kvasir.transport.PullFailure;
import io.kvasir.transport.PullListener;
import io.kvasir.transport.PullRequest;
import io.kvasir.transport.TrafficClass;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.agrona.collections.LongArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The decode side of a hand-off. Space for all its chunks is reserved when it is offered, or the
 * run is cut; then every slice is pulled at once, and the sender answers as the slices are made. A
 * chunk becomes visible with its last slice. It is pinned until an engine has awaited it or the
 * deadline passes. Node agent only.
 */
final class InboundHandoff {
  private static final int NONE = -1;

  private enum State {
    /** Slices are on their way into a reserved slot. */
    ARRIVING,
    /** In this slab, pinned by the hand-off unless an engine has taken over. */
    HERE,
    /** Never comes; its slot is given back when no slice is on its way any more. */
    LOST
  }

  private static final class Chunk {
    private final ChunkKey key;
    private final long group;
    private final int[] crcs;
    private State state = State.LOST;
    private EndReason reason = EndReason.NO_SPACE;
    private int slot = NONE;
    private long version;
    private int slicesLeft;
    private int slicesOpen;
    private boolean isPinned;
    private int awaitedAs = NONE;

    private Chunk(final ChunkKey key, final long group, final int slices) {
      this.key = key;
      this.group = group;
      this.crcs = new int[slices];
      this.slicesLeft = slices;
    }
  }

  private final Handoffs handoffs;
  private final Store store;
  private final long id;
  private final long senderNodeId;
  private final Slices slices;
  private final int spaceId;
  private final int spaceTag;
  private final int epoch;
  private final long deadlineNs;
  private final Chunk[] chunks;
  private final Map<ChunkKey, Chunk> byKey = new HashMap<>();
  private final LongArrayList pulls = new LongArrayList();
  private int arriving;
  private boolean isCancelled;
  private boolean isOver;
  private @Nullable AcquireOperation awaiting;

  InboundHandoff(
      final Handoffs handoffs,
      final long id,
      final long senderNodeId,
      final HandoffOffer offer,
      final int spaceId) {
    this.handoffs = handoffs;
    this.store = handoffs.store();
    this.id = id;
    this.senderNodeId = senderNodeId;
    this.slices = offer.head().slices();
    this.spaceId = spaceId;
    this.spaceTag = Space.tag(offer.head().fingerprint());
    this.epoch = offer.head().epoch();
    this.deadlineNs = offer.deadlineNs();
    this.chunks = new Chunk[offer.keys().size()];
    for (int i = 0; i < chunks.length; i++) {
      chunks[i] = new Chunk(offer.keys().get(i), offer.groups().get(i), slices.perChunk());
      byKey.putIfAbsent(chunks[i].key, chunks[i]);
    }
  }

  long id() {
    return id;
  }

  long deadlineNs() {
    return deadlineNs;
  }

  boolean isAwaited() {
    return awaiting != null;
  }

  boolean isCancelled() {
    return isCancelled;
  }

  /** Whether nothing happens any more. */
  boolean isDone() {
    return arriving == 0 && (isOver || isAwaited());
  }

  /** Reserves and asks for everything. */
  void start(final @Nullable String endpoint) {
    for (final Chunk chunk : chunks) {
      if (!isHere(chunk) && !reserve(chunk)) {
        break;
      }
    }
    final List<Part> parts = new ArrayList<>();
    for (final Chunk chunk : chunks) {
      if (chunk.state == State.ARRIVING) {
        arriving++;
        for (int slice = 0; slice < slices.perChunk(); slice++) {
          parts.add(new Part(chunk, slice));
        }
      } else if (chunk.state == State.LOST) {
        handoffs.counters().chunksLost++;
      }
    }
    for (int from = 0; from < parts.size(); from += PullRequest.CHUNKS_MAX) {
      pull(
          endpoint,
          List.copyOf(parts.subList(from, Math.min(parts.size(), from + PullRequest.CHUNKS_MAX))));
    }
    leaveIfAllEnded();
  }

  private boolean isHere(final Chunk chunk) {
    final int slot = store.find(chunk.key);
    if (slot < 0 || store.lengthBytes(slot) != slices.chunkBytes() || store.epoch(slot) != epoch) {
      return false;
    }
    chunk.state = State.HERE;
    chunk.slot = slot;
    keep(chunk);
    return true;
  }

  /** False if there is no room for this one and those behind it. */
  private boolean reserve(final Chunk chunk) {
    final int slot =
        store.reserveForPull(
            handoffs.owner(), chunk.key, chunk.group, spaceId, epoch, slices.chunkBytes());
    if (slot >= 0) {
      chunk.state = State.ARRIVING;
      chunk.slot = slot;
      chunk.slicesOpen = slices.perChunk();
      return true;
    }
    // BUSY: an engine computes this very chunk, or it is on its way already; an await finds out.
    chunk.reason = slot == StoreCodes.BUSY ? EndReason.MISSING : EndReason.NO_SPACE;
    return slot == StoreCodes.BUSY;
  }

  private void pull(final @Nullable String endpoint, final List<Part> parts) {
    final long pullId = handoffs.newPullId();
    final List<PullChunk> wanted = new ArrayList<>(parts.size());
    for (final Part part : parts) {
      final MemorySegment place =
          store
              .memory(part.chunk().slot)
              .asSlice(slices.offset(part.slice()), slices.length(part.slice()));
      final ChunkKey key = Slices.key(id, part.chunk().key, part.slice());
      wanted.add(new PullChunk(key, id, place, slices.length(part.slice()), 0, 0));
    }
    if (endpoint != null
        && handoffs.pull(
            new PullRequest(
                TrafficClass.HANDOFF,
                pullId,
                senderNodeId,
                endpoint,
                wanted,
                spaceTag,
                epoch,
                deadlineNs,
                new Outcome(parts)))) {
      pulls.addLong(pullId);
    } else {
      parts.forEach(part -> failed(part, PullFailure.UNREACHABLE));
    }
  }

  /** An engine awaits the chunks; tells it what it cannot have. */
  void await(final AcquireOperation operation) {
    awaiting = operation;
    if (isCancelled) {
      operation.end(EndReason.CANCELLED);
    } else {
      operation.handedOff(this);
    }
    letGo();
  }

  /** The chunk is on its way and the operation will hear of it; false if it is not. */
  boolean follow(final int index, final ChunkKey key, final Space space) {
    final Chunk chunk = byKey.get(key);
    if (chunk == null
        || chunk.state != State.ARRIVING
        || slices.chunkBytes() != space.chunkBytes()
        || epoch != space.epoch()) {
      return false;
    }
    chunk.awaitedAs = index;
    return true;
  }

  /** Why the chunk does not come. */
  EndReason reason(final ChunkKey key) {
    final Chunk chunk = byKey.get(key);
    return chunk == null || chunk.state != State.LOST ? EndReason.MISSING : chunk.reason;
  }

  /** Nothing more shall arrive. */
  void cancel() {
    isCancelled = true;
    isOver = true;
    pulls.forEachLong(handoffs::cancelPull);
    for (final Chunk chunk : chunks) {
      lose(chunk, EndReason.CANCELLED);
    }
    final AcquireOperation operation = awaiting;
    if (operation != null) {
      operation.end(EndReason.CANCELLED);
    }
    letGo();
    handoffs.retireIfDone(this);
  }

  /** The deadline passed: the transport ends what is still on its way. */
  void expire() {
    isOver = true;
    letGo();
    handoffs.retireIfDone(this);
  }

  private void received(final Part part, final long version, final int crc32c) {
    final Chunk chunk = part.chunk();
    chunk.slicesOpen--;
    chunk.slicesLeft--;
    chunk.crcs[part.slice()] = crc32c;
    handoffs.counters().slicesReceived++;
    handoffs.counters().lastSliceNs = System.nanoTime();
    if (chunk.version == 0) {
      chunk.version = version;
    } else if (chunk.version != version) {
      lose(chunk, EndReason.FAILED);
    }
    if (chunk.state == State.ARRIVING && chunk.slicesLeft == 0) {
      commit(chunk);
    }
    settle(chunk);
  }

  private void failed(final Part part, final PullFailure failure) {
    part.chunk().slicesOpen--;
    switch (failure) {
      case CANCELLED -> lose(part.chunk(), EndReason.CANCELLED);
      case DEADLINE -> lose(part.chunk(), EndReason.DEADLINE);
      case MISSING -> lose(part.chunk(), EndReason.MISSING);
      case CORRUPT -> {
        handoffs.corrupt(senderNodeId, part.chunk().key, part.chunk().version);
        lose(part.chunk(), EndReason.FAILED);
      }
      default -> lose(part.chunk(), EndReason.FAILED);
    }
    settle(part.chunk());
    if (failure == PullFailure.CANCELLED && !isCancelled) {
      cancel();
    }
  }

  private void commit(final Chunk chunk) {
    final StoreEvents.Waiter waiter =
        new StoreEvents.Waiter() {
          @Override
          public void committed(final int slot, final long version) {
            arrived(chunk);
          }

          @Override
          public void commitFailed(final int slot, final int code) {
            lose(chunk, EndReason.NO_SPACE);
          }
        };
    store.commitPulled(
        handoffs.owner(),
        chunk.slot,
        chunk.version,
        slices.combine(chunk.crcs),
        handoffs.events().register(waiter));
  }

  private void arrived(final Chunk chunk) {
    chunk.state = State.HERE;
    arriving--;
    handoffs.counters().chunksReceived++;
    handoffs.pulled(slices.chunkBytes());
    final AcquireOperation operation = awaiting;
    if (operation == null) {
      keep(chunk);
    } else if (chunk.awaitedAs != NONE) {
      operation.arrived(chunk.awaitedAs, chunk.slot);
    }
    leaveIfAllEnded();
  }

  private void lose(final Chunk chunk, final EndReason reason) {
    if (chunk.state != State.ARRIVING) {
      return;
    }
    chunk.state = State.LOST;
    chunk.reason = reason;
    handoffs.counters().chunksLost++;
    final AcquireOperation operation = awaiting;
    if (operation != null && chunk.awaitedAs != NONE) {
      operation.lost(chunk.awaitedAs, reason);
    }
  }

  /** Gives the slot of a lost chunk back once the lane writes into it no more. */
  private void settle(final Chunk chunk) {
    if (chunk.state == State.LOST && chunk.slot != NONE && chunk.slicesOpen == 0) {
      store.abort(handoffs.owner(), chunk.slot);
      chunk.slot = NONE;
      arriving--;
      leaveIfAllEnded();
    }
  }

  private void leaveIfAllEnded() {
    if (arriving == 0) {
      handoffs.leave(senderNodeId, id);
      handoffs.retireIfDone(this);
    }
  }

  /** Pins a chunk that is here until an engine does. */
  private void keep(final Chunk chunk) {
    handoffs.pin(
        chunk.slot,
        isPinned -> {
          chunk.isPinned = isPinned;
          if (isAwaited() || isOver) {
            letGo(chunk);
          }
        });
  }

  private void letGo() {
    Arrays.stream(chunks).forEach(this::letGo);
  }

  private void letGo(final Chunk chunk) {
    if (chunk.isPinned) {
      chunk.isPinned = false;
      store.unpin(handoffs.owner(), chunk.slot);
    }
  }

  /** A slice of a chunk. */
  private record Part(Chunk chunk, int slice) {}

  /** Brings the outcome of a pull from the lane to the node agent. */
  private final class Outcome implements PullListener {
    private final List<Part> parts;

    private Outcome(final List<Part> parts) {
      this.parts = parts;
    }

    @Override
    public void received(final int chunk, final long version, final int crc32c) {
      handoffs.execute(() -> InboundHandoff.this.received(parts.get(chunk), version, crc32c));
    }

    @Override
    public void failed(
        final int chunk, final PullFailure reason, final long version, final int bytesReached) {
      handoffs.execute(() -> InboundHandoff.this.failed(parts.get(chunk), reason));
    }
  }
}
