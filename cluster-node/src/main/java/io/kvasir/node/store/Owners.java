package io.kvasir.node.store;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;

/**
 * Pins and reservations by owner, and each owner's share of the slab: the bytes of all slots that
 * it pins or has reserved, each slot once. Not thread-safe: node agent only.
 */
final class Owners {
  private final Slots slots;
  private final long shareBytes;
  private final List<Owner> owners = new ArrayList<>();

  Owners(Slots slots) {
    this.slots = slots;
    this.shareBytes = slots.config.ownerShareBytes();
  }

  Owner open(UUID instance, long pid, long startTimeMillis) {
    Owner owner = new Owner(instance, pid, startTimeMillis);
    owners.add(owner);
    return owner;
  }

  /** The owner of a commit. */
  Owner of(ChecksumJob job) {
    return Objects.requireNonNull(job.owner, "commits have an owner");
  }

  void checkOpen(Owner owner) {
    if (owner.closed) {
      throw new IllegalArgumentException(
          "KVA-0209 store call refused - reason=\"the owner is closed\" instance="
              + owner.instance()
              + "; correct the caller");
    }
  }

  boolean hasShare(Owner owner, long moreBytes) {
    return owner.chargedBytes + moreBytes <= shareBytes;
  }

  /** False if the owner's share is exhausted. */
  boolean pin(Owner owner, int slot) {
    checkOpen(owner);
    if (owner.pins.get(slot) == 0) {
      int extentBytes = slots.extentBytes(slot);
      if (!hasShare(owner, extentBytes)) {
        return false;
      }
      owner.chargedBytes += extentBytes;
    }
    owner.pins.incrementAndGet(slot);
    slots.pins[slot]++;
    return true;
  }

  void unpin(Owner owner, int slot) {
    if (owner.pins.decrementAndGet(slot) == 0) {
      owner.chargedBytes -= slots.extentBytes(slot);
    }
    slots.unpin(slot, 1);
  }

  void dropPins(Owner owner) {
    owner.pins.forEach(
        (slot, count) -> {
          owner.chargedBytes -= slots.extentBytes(slot);
          slots.unpin(slot, count);
        });
    owner.pins.clear();
  }

  void reserved(Owner owner, int slot) {
    owner.reserved.add(slot);
    owner.chargedBytes += slots.extentBytes(slot);
  }

  /** Moves a reservation; false if the share of the new owner is exhausted. */
  boolean handOver(Owner from, Owner to, int slot) {
    checkOpen(to);
    if (!hasShare(to, slots.extentBytes(slot))) {
      return false;
    }
    unreserved(from, slot);
    reserved(to, slot);
    return true;
  }

  void unreserved(Owner owner, int slot) {
    owner.reserved.remove(slot);
    owner.chargedBytes -= slots.extentBytes(slot);
    forgetIfDone(owner);
  }

  /** Quarantines what the owner may still write to. */
  void close(Owner owner, Quarantine quarantine) {
    if (owner.closed) {
      return;
    }
    owner.closed = true;
    for (int slot : owner.reserved.toArray(new Integer[0])) {
      if (slots.table.state(slot) == SlotState.RESERVED && !slots.table.nodeWrites(slot)) {
        unreserved(owner, slot);
        quarantine.add(slot);
      }
    }
    forgetIfDone(owner);
  }

  private void forgetIfDone(Owner owner) {
    if (owner.closed && owner.reserved.isEmpty()) {
      owners.remove(owner);
    }
  }

  /** Owners that hold or may hold something. */
  List<Owner> all() {
    return owners;
  }
}
