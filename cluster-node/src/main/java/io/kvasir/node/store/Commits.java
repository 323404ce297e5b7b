package io.kvasir.node.store;

import java.util.List;
import java.util.function.Consumer;

/**
 * From "all bytes are written" to "visible", and the first check after a restart: sends slots to
 * the checksum workers and does what their results ask for. Not thread-safe: node agent only.
 */
final class Commits {
  private final Slots slots;
  private final SlotTable table;
  private final Owners owners;
  private final Verifications verifications;
  private final ChecksumWorkers workers;
  private final StoreCounters counters;
  private final StoreListener listener;
  private final Removal removal;
  private final Consumer<ChecksumJob> onResult = this::finished; // a field: no allocation per call

  Commits(
      Slots slots,
      Owners owners,
      Verifications verifications,
      ChecksumWorkers workers,
      StoreCounters counters,
      StoreListener listener,
      Removal removal) {
    this.slots = slots;
    this.table = slots.table;
    this.owners = owners;
    this.verifications = verifications;
    this.workers = workers;
    this.counters = counters;
    this.listener = listener;
    this.removal = removal;
  }

  /** Delivers results; returns how many. */
  int doWork() {
    return workers.drain(onResult);
  }

  /** The checksum that comes out becomes the chunk's. */
  void commit(Owner owner, int slot, long cookie, long version) {
    table.state(slot, SlotState.CHECKSUMMING);
    ChecksumJob job = job(ChecksumJob.Purpose.COMMIT, slot);
    job.owner = owner;
    job.cookie = cookie;
    job.version = version;
    workers.submit(job);
  }

  /** The lane has verified the checksum while the bytes came. */
  void commitPulled(Owner owner, int slot, long cookie, long version, int crc32c) {
    counters.pulledCommits++;
    finishCommit(owner, slot, cookie, version, crc32c);
  }

  /** The checksum was put together from those of its parts. */
  void commitParts(Owner owner, int slot, long cookie, long version, int crc32c) {
    counters.commits++;
    finishCommit(owner, slot, cookie, version, crc32c);
  }

  /** The checksum of some bytes of a slot. */
  void checksum(int slot, int offsetBytes, int lengthBytes, long cookie) {
    ChecksumJob job = job(ChecksumJob.Purpose.PART, slot);
    job.offsetInSegment += offsetBytes;
    job.lengthBytes = lengthBytes;
    job.cookie = cookie;
    workers.submit(job);
  }

  /** Checks a committed slot whose pins wait for it. */
  void verify(int slot) {
    slots.pins[slot]++; // the worker's own, so that the extent outlives owners that go away
    ChecksumJob job = job(ChecksumJob.Purpose.VERIFY, slot);
    job.expectedCrc32c = table.crc32c(slot);
    workers.submit(job);
  }

  private ChecksumJob job(ChecksumJob.Purpose purpose, int slot) {
    ChecksumJob job = workers.newJob();
    job.purpose = purpose;
    job.slot = slot;
    job.segment = slots.slab.segmentOf(table.offset(slot));
    job.offsetInSegment = (int) slots.slab.offsetInSegment(table.offset(slot));
    job.lengthBytes = table.lengthBytes(slot);
    return job;
  }

  private void finished(ChecksumJob job) {
    switch (job.purpose) {
      case VERIFY -> finishVerify(job.slot, job.resultCrc32c == job.expectedCrc32c);
      case PART -> listener.onChecksum(job.cookie, job.slot, job.resultCrc32c);
      case COMMIT -> {
        counters.commits++;
        finishCommit(owners.of(job), job.slot, job.cookie, job.version, job.resultCrc32c);
      }
    }
  }

  private void finishCommit(Owner owner, int slot, long cookie, long version, int crc32c) {
    try {
      slots.commit(slot, version, crc32c);
    } catch (IllegalStateException e) {
      failCommit(owner, slot, cookie);
      return;
    }
    owners.unreserved(owner, slot);
    listener.onAdded(table.key(slot), table.group(slot), version, table.lengthBytes(slot));
    listener.onCommitted(cookie, slot, version);
  }

  /**
   * The directory is full: back to RESERVED, or gone if the engine that would have to abort it is
   * gone.
   */
  private void failCommit(Owner owner, int slot, long cookie) {
    if (table.state(slot) == SlotState.CHECKSUMMING) {
      table.state(slot, SlotState.RESERVED);
    }
    if (owner.closed && !table.nodeWrites(slot)) {
      owners.unreserved(owner, slot);
      slots.abandon(slot);
    }
    listener.onCommitFailed(cookie, slot, StoreCodes.DIRECTORY_FULL);
  }

  private void finishVerify(int slot, boolean ok) {
    slots.pins[slot]--;
    List<Verifications.Waiter> waiters = verifications.finish(slot);
    if (ok) {
      counters.verified++;
      slots.unverified.clear(slot);
    } else {
      counters.corruptChunks++;
      for (Verifications.Waiter waiter : waiters) {
        if (!waiter.dropped) {
          owners.unpin(waiter.owner, slot);
        }
      }
      removal.remove(slot, RemovalReason.CORRUPT);
    }
    for (Verifications.Waiter waiter : waiters) {
      listener.onPinVerified(waiter.cookie, slot, ok && !waiter.dropped);
    }
  }
}
