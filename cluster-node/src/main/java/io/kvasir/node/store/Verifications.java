package io.kvasir.node.store;

import java.util.ArrayList;
import java.util.List;
import org.agrona.collections.Int2ObjectHashMap;

/** Who waits for the first check of a chunk after a restart. Not thread-safe: node agent only. */
final class Verifications {
  /** One pin that has not been answered. */
  static final class Waiter {
    final Owner owner;
    final long cookie;
    boolean dropped;

    private Waiter(Owner owner, long cookie) {
      this.owner = owner;
      this.cookie = cookie;
    }
  }

  private final Int2ObjectHashMap<List<Waiter>> bySlot = new Int2ObjectHashMap<>();

  /** Adds a waiter; true if it is the slot's first, so that the check has to be started. */
  boolean add(int slot, Owner owner, long cookie) {
    List<Waiter> waiters = bySlot.get(slot);
    boolean first = waiters == null;
    if (waiters == null) {
      waiters = new ArrayList<>();
      bySlot.put(slot, waiters);
    }
    waiters.add(new Waiter(owner, cookie));
    return first;
  }

  /** The owner gave one pin back before the answer. */
  void drop(int slot, Owner owner) {
    List<Waiter> waiters = bySlot.get(slot);
    if (waiters == null) {
      return;
    }
    for (Waiter waiter : waiters) {
      if (waiter.owner == owner && !waiter.dropped) {
        waiter.dropped = true;
        return;
      }
    }
  }

  /** The owner lost all its pins before the answers. */
  void dropAll(Owner owner) {
    for (List<Waiter> waiters : bySlot.values()) {
      for (Waiter waiter : waiters) {
        waiter.dropped |= waiter.owner == owner;
      }
    }
  }

  /** Ends the wait; the caller answers every waiter. */
  List<Waiter> finish(int slot) {
    List<Waiter> waiters = bySlot.remove(slot);
    return waiters == null ? List.of() : waiters;
  }

  boolean isWaiting(int slot) {
    return bySlot.containsKey(slot);
  }
}
