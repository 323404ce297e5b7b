package io.kvasir.node.store;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Slots whose writer is gone but may still have a write under way. Those of a closed owner wait for
 * the grace period; those found at open wait for the end of the process that reserved them, since a
 * new daemon cannot tell it to stop. Not thread-safe: node agent only.
 */
final class Quarantine {
  private static final long PROCESS_CHECK_INTERVAL_NS = 1_000_000_000L;

  private record Entry(int slot, long deadlineNs) {}

  private final Slots slots;
  private final StoreEnvironment environment;
  private final long graceNs;
  private final ArrayDeque<Entry> byDeadline =
      new ArrayDeque<>(); // one grace, so first in first out
  private final List<Integer> byProcess = new ArrayList<>();
  private long nextCheckNs;

  Quarantine(Slots slots, StoreEnvironment environment, Duration grace) {
    this.slots = slots;
    this.environment = environment;
    this.graceNs = grace.toNanos();
  }

  /** Takes a RESERVED slot. */
  void add(int slot) {
    slots.quarantine(slot);
    byDeadline.add(new Entry(slot, environment.clock().nanoTime() + graceNs));
  }

  /** Watches the processes of all slots that were quarantined while opening. */
  void watchAdopted() {
    for (int slot = 0; slot < slots.table.slots(); slot++) {
      if (slots.table.state(slot) == SlotState.QUARANTINED) {
        byProcess.add(slot);
      }
    }
    nextCheckNs = environment.clock().nanoTime() + PROCESS_CHECK_INTERVAL_NS;
  }

  /** Frees what need not wait any longer; returns how many slots. */
  int doWork() {
    if (byDeadline.isEmpty() && byProcess.isEmpty()) {
      return 0;
    }
    long nowNs = environment.clock().nanoTime();
    int freed = 0;
    while (!byDeadline.isEmpty() && nowNs - byDeadline.element().deadlineNs() >= 0) {
      slots.endQuarantine(byDeadline.remove().slot());
      freed++;
    }
    if (!byProcess.isEmpty() && nowNs - nextCheckNs >= 0) {
      nextCheckNs = nowNs + PROCESS_CHECK_INTERVAL_NS;
      int before = byProcess.size();
      byProcess.removeIf(this::freeIfProcessGone);
      freed += before - byProcess.size();
    }
    return freed;
  }

  private boolean freeIfProcessGone(int slot) {
    SlotTable table = slots.table;
    if (environment.host().isAlive(table.ownerPid(slot), table.ownerStartMillis(slot))) {
      return false;
    }
    slots.endQuarantine(slot);
    return true;
  }

  int size() {
    return byDeadline.size() + byProcess.size();
  }
}
