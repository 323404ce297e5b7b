package io.kvasir.node.store;

import java.util.BitSet;

/** Checks that every part of the store says the same. */
final class StoreOracle {
  private final Slots slots;
  private final Owners owners;
  private final Quarantine quarantine;
  private final Verifications verifications;

  StoreOracle(Slots slots, Owners owners, Quarantine quarantine, Verifications verifications) {
    this.slots = slots;
    this.owners = owners;
    this.quarantine = quarantine;
    this.verifications = verifications;
  }

  void assertValid() {
    slots.extents.assertValid();
    checkFreeSlots();
    checkRecords();
    checkOwners();
    if (slots.config.poisonFreedSlots()) {
      checkPoison();
    }
  }

  private void checkFreeSlots() {
    BitSet free = new BitSet();
    for (int i = 0; i < slots.freeCount(); i++) {
      int slot = slots.freeSlot(i);
      Invariant.check(!free.get(slot), "a slot is free once", slot);
      free.set(slot);
    }
    for (int slot = 0; slot < slots.table.slots(); slot++) {
      boolean isFree = slots.table.state(slot) == SlotState.FREE;
      Invariant.check(isFree == free.get(slot), "free slots are FREE", slot);
      Invariant.check(
          isFree == (slots.block(slot) == ExtentAllocator.NONE), "used slots have a block", slot);
      Invariant.check(
          slots.pins[slot] >= 0 && (slots.pins[slot] == 0 || isCommitted(slot)),
          "only committed slots are pinned",
          slot);
    }
  }

  private boolean isCommitted(int slot) {
    return slots.table.state(slot) == SlotState.COMMITTED;
  }

  private void checkRecords() {
    SlotTable table = slots.table;
    int committed = 0;
    int quarantined = 0;
    int indexed = 0;
    long payloadBytes = 0;
    long extentBytes = 0;
    for (int slot = 0; slot < table.slots(); slot++) {
      SlotState state = table.state(slot);
      if (state == SlotState.FREE) {
        continue;
      }
      int block = slots.block(slot);
      Invariant.check(slots.extents.slotOf(block) == slot, "block and slot name each other", slot);
      Invariant.check(
          slots.extents.offsetBytes(block) == table.offset(slot), "block and record offset", slot);
      Invariant.check(
          slots.extents.granulesOf(block) == ExtentAllocator.granules(table.lengthBytes(slot)),
          "block and record length",
          slot);
      payloadBytes += table.lengthBytes(slot);
      extentBytes += slots.extentBytes(slot);
      switch (state) {
        case COMMITTED -> {
          committed++;
          Invariant.check(table.isSealed(slot), "committed record is sealed", slot);
          Invariant.check(table.version(slot) != 0, "committed chunk has a version", slot);
          Invariant.check(
              slots.directory.matches(table, slot), "directory equals the record", slot);
        }
        case QUARANTINED -> quarantined++;
        case FREE, RESERVED, CHECKSUMMING -> {}
      }
      if (state != SlotState.QUARANTINED) {
        indexed++;
        Invariant.check(slots.index.find(table.key(slot)) == slot, "index finds the slot", slot);
      }
    }
    Invariant.check(committed == slots.committed(), "committed count", committed);
    Invariant.check(committed == slots.directory.entries(), "directory entries", committed);
    Invariant.check(quarantined == slots.quarantined(), "quarantined count", quarantined);
    Invariant.check(quarantined == quarantine.size(), "quarantine queue", quarantined);
    Invariant.check(indexed == slots.index.size(), "index size", indexed);
    Invariant.check(payloadBytes == slots.payloadBytes(), "payload bytes", payloadBytes);
    Invariant.check(extentBytes == slots.usedBytes(), "extent bytes", extentBytes);
  }

  private void checkOwners() {
    int[] pins = new int[slots.table.slots()];
    int reserved = 0;
    for (Owner owner : owners.all()) {
      long[] charged = {0};
      owner.pins.forEach(
          (slot, count) -> {
            pins[slot] += count;
            charged[0] += slots.extentBytes(slot);
          });
      for (int slot : owner.reserved) {
        SlotState state = slots.table.state(slot);
        Invariant.check(
            state == SlotState.RESERVED || state == SlotState.CHECKSUMMING,
            "reserved slots are unfinished",
            slot);
        charged[0] += slots.extentBytes(slot);
        reserved++;
      }
      Invariant.check(charged[0] == owner.chargedBytes, "charged bytes", charged[0]);
      Invariant.check(
          charged[0] <= slots.config.ownerShareBytes(), "owner within its share", charged[0]);
    }
    for (int slot = 0; slot < pins.length; slot++) {
      int all = pins[slot] + (verifications.isWaiting(slot) ? 1 : 0);
      Invariant.check(all == slots.pins[slot], "pins of all owners", slot);
    }
    int unfinished = slots.used() - slots.committed() - slots.quarantined();
    Invariant.check(reserved == unfinished, "every unfinished slot has an owner", unfinished);
  }

  /** A free granule is poisoned at both ends; anything else is a stray write. */
  private void checkPoison() {
    slots.extents.forEachFree(
        (offset, granules) -> {
          for (int granule = 0; granule < granules; granule++) {
            long at = offset + (long) granule * ExtentAllocator.GRANULE_BYTES;
            Invariant.check(slots.slab.isPoisoned(at), "free granules are poisoned", at);
          }
        });
  }
}
