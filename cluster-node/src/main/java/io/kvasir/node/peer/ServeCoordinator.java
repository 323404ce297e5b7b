package io.kvasir.node.peer;

import io.kvasir.node.store.Owner;
import io.kvasir.node.store.Store;
import io.kvasir.node.store.StoreCodes;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.ChunkSource;
import io.kvasir.transport.PullFailure;
import io.kvasir.transport.ServeRequest;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.IntConsumer;

/**
 * Gives chunks of this slab to peers: pins what they ask for, after verifying it if that has not
 * happened since the start, and unpins it when the lane has read it. The lane thread asks; the work
 * is done on the node agent. The transport bounds how many requests there are.
 */
public final class ServeCoordinator implements ChunkSource {
  private static final int NOT_PINNED = -1;

  private final Store store;
  private final StoreEvents events;
  private final Owner transfers;
  private final PeerCounters counters;
  private final Handoffs handoffs;
  private final Executor agent;
  private final Map<ServeRequest, Pins> open = new HashMap<>();

  /**
   * @param transfers owns the pins
   * @param handoffs answers for slices
   * @param agent runs tasks on the node agent
   */
  public ServeCoordinator(
      final Store store,
      final StoreEvents events,
      final Owner transfers,
      final PeerCounters counters,
      final Handoffs handoffs,
      final Executor agent) {
    this.store = store;
    this.events = events;
    this.transfers = transfers;
    this.counters = counters;
    this.handoffs = handoffs;
    this.agent = agent;
  }

  @Override
  public void requested(final ServeRequest request) {
    agent.execute(() -> serve(request, counters::served));
  }

  /** As {@link #requested}, for a node of this host that reads the slab itself; at once. */
  void lend(final Loan loan) {
    serve(loan, counters::lent);
  }

  @Override
  public void finished(final ServeRequest request, final int chunk) {
    agent.execute(() -> release(request, chunk));
  }

  @Override
  public void doubted(final ChunkKey key, final long version) {
    agent.execute(() -> verifyAgain(key, version));
  }

  /** The slab is judged by its own checksum: a peer's word alone removes nothing. */
  private void verifyAgain(final ChunkKey key, final long version) {
    final int slot = store.find(key);
    if (slot < 0 || store.version(slot) != version) {
      return;
    }
    store.doubt(slot);
    final long cookie = events.register(new Recheck());
    switch (store.pin(transfers, slot, cookie)) {
      case StoreCodes.VERIFYING -> {
        // The recheck takes the pin back.
      }
      case StoreCodes.PINNED -> {
        // Someone uses it; verified at the first pin after they are done.
        events.forget(cookie);
        store.unpin(transfers, slot);
      }
      default -> events.forget(cookie);
    }
  }

  /** Requests of peers that hold pins now. */
  public int open() {
    return open.size();
  }

  private void serve(final ServeRequest request, final IntConsumer bytesGiven) {
    counters.serving();
    final Pins pins = new Pins(request.size(), bytesGiven);
    for (int i = 0; i < request.size(); i++) {
      // Slices go over the network only.
      if (request instanceof Loan || !handoffs.serve(request, i)) {
        serve(request, i, pins);
      }
    }
  }

  private void serve(final ServeRequest request, final int chunk, final Pins pins) {
    final int slot = store.find(request.key(chunk));
    if (slot < 0 || Integer.compareUnsigned(store.epoch(slot), request.epoch()) < 0) {
      request.missing(chunk);
      return;
    }
    if (Integer.compareUnsigned(store.epoch(slot), request.epoch()) > 0) {
      request.refused(chunk, PullFailure.STALE_EPOCH);
      return;
    }
    final long cookie = events.register(new Verification(request, chunk, pins));
    switch (store.pin(transfers, slot, cookie)) {
      case StoreCodes.PINNED -> {
        events.forget(cookie);
        found(request, chunk, slot, pins);
      }
      case StoreCodes.VERIFYING -> {
        // Answered by the verification.
      }
      default -> {
        events.forget(cookie);
        request.refused(chunk, PullFailure.OVERLOADED);
      }
    }
  }

  private void found(final ServeRequest request, final int chunk, final int slot, final Pins pins) {
    pins.add(chunk, slot);
    open.put(request, pins);
    pins.bytesGiven.accept(store.lengthBytes(slot));
    request.found(chunk, store.memory(slot), store.version(slot), store.crc32c(slot));
  }

  private void release(final ServeRequest request, final int chunk) {
    if (!handoffs.finished(request, chunk)) {
      unpin(request, chunk);
    }
  }

  private void unpin(final ServeRequest request, final int chunk) {
    final Pins pins = open.get(request);
    if (pins == null || pins.slots[chunk] == NOT_PINNED) {
      throw new IllegalStateException("a chunk is finished that was not found - chunk=" + chunk);
    }
    store.unpin(transfers, pins.slots[chunk]);
    pins.remove(chunk);
    if (pins.held == 0) {
      open.remove(request);
    }
  }

  /** The slots that one request holds. */
  private static final class Pins {
    private final int[] slots;
    private final IntConsumer bytesGiven;
    private int held;

    private Pins(final int chunks, final IntConsumer bytesGiven) {
      this.bytesGiven = bytesGiven;
      slots = new int[chunks];
      Arrays.fill(slots, NOT_PINNED);
    }

    private void add(final int chunk, final int slot) {
      slots[chunk] = slot;
      held++;
    }

    private void remove(final int chunk) {
      slots[chunk] = NOT_PINNED;
      held--;
    }
  }

  /** Gives the pin of a second look back. */
  private final class Recheck implements StoreEvents.Waiter {
    @Override
    public void pinVerified(final int slot, final boolean ok) {
      if (ok) {
        store.unpin(transfers, slot);
      }
    }
  }

  /** Answers once the chunk's checksum is verified, the first time after a restart. */
  private final class Verification implements StoreEvents.Waiter {
    private final ServeRequest request;
    private final int chunk;
    private final Pins pins;

    private Verification(final ServeRequest request, final int chunk, final Pins pins) {
      this.request = request;
      this.chunk = chunk;
      this.pins = pins;
    }

    @Override
    public void pinVerified(final int slot, final boolean ok) {
      if (ok) {
        found(request, chunk, slot, pins);
      } else {
        request.missing(chunk);
      }
    }
  }
}
