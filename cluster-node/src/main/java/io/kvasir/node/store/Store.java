package io.kvasir.node.store;

import io.kvasir.placement.ChunkKey;
import io.kvasir.placement.Fingerprint;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.agrona.CloseHelper;

/**
 * The chunks of this node: slab, slot table, directory, pins, reservations, eviction.
 *
 * <p>A chunk comes in by {@link #reserve}, bytes written to {@link #memory}, and {@link #commit};
 * it is visible from {@link StoreListener#onCommitted} on. It is read between {@link #pin} and
 * {@link #unpin}. Chunks are content-addressed and immutable, so a key that is present or being
 * written is refused.
 *
 * <p><b>Not thread-safe:</b> one thread, the node agent, calls everything here, {@link #doWork}
 * again and again. {@code find}, {@code pin} and {@code unpin} allocate nothing. Calls with a slot
 * that the owner does not hold throw {@link IllegalArgumentException}.
 */
public final class Store implements AutoCloseable {
  private final StoreConfig config;
  private final StoreListener listener;
  private final StoreEnvironment environment;
  private final StoreCounters counters;
  private final StoreOpener.Opened parts;
  private final List<LockFile> locks;
  private final Slots slots;
  private final SlotTable table;
  private final Owners owners;
  private final Quarantine quarantine;
  private final Verifications verifications;
  private final ChecksumWorkers workers;
  private final Evictor evictor;
  private final Commits commits;
  private final long openNs;
  private boolean closed;

  private Store(
      StoreConfig config,
      StoreListener listener,
      Runnable wakeOwner,
      StoreEnvironment environment,
      StoreCounters counters,
      StoreOpener.Opened parts,
      List<LockFile> locks,
      long startedNs) {
    this.config = config;
    this.listener = listener;
    this.environment = environment;
    this.counters = counters;
    this.parts = parts;
    this.locks = locks;
    this.slots = parts.slots();
    this.table = slots.table;
    this.owners = new Owners(slots);
    this.quarantine = new Quarantine(slots, environment, config.quarantineGrace());
    this.workers = new ChecksumWorkers(config.checksumThreads(), slots.slab, wakeOwner);
    this.verifications = new Verifications();
    Removal removal = this::removeCommitted;
    this.commits = new Commits(slots, owners, verifications, workers, counters, listener, removal);
    this.evictor = new Evictor(slots, counters, removal);
    quarantine.watchAdopted();
    this.openNs = environment.clock().nanoTime() - startedNs;
  }

  /**
   * Opens the store and adopts what an earlier run left, or starts empty if that run was of another
   * boot, size or format.
   *
   * @param wakeOwner called from worker threads: there is something for {@link #doWork}
   * @throws StoreException if the directories are in use, too small or unusable
   */
  public static Store open(StoreConfig config, StoreListener listener, Runnable wakeOwner) {
    return open(config, listener, wakeOwner, StoreEnvironment.system());
  }

  static Store open(
      StoreConfig config,
      StoreListener listener,
      Runnable wakeOwner,
      StoreEnvironment environment) {
    long startedNs = environment.clock().nanoTime();
    List<LockFile> locks = new ArrayList<>();
    try {
      OwnerOnly.createDirectories(config.runDirectory());
      OwnerOnly.createDirectories(config.slabDirectory());
      locks.add(LockFile.acquire(config.runDirectory(), StoreConfig.RUN_LOCK_FILE));
      locks.add(LockFile.acquire(config.slabDirectory(), StoreConfig.SLAB_LOCK_FILE));
      StoreCounters counters = new StoreCounters();
      StoreOpener.Opened parts = new StoreOpener(config, environment, counters).open();
      return new Store(config, listener, wakeOwner, environment, counters, parts, locks, startedNs);
    } catch (IOException e) {
      CloseHelper.quietCloseAll(locks.reversed());
      throw new StoreException(
          "KVA-0208 store cannot be opened - slabDirectory="
              + config.slabDirectory()
              + " runDirectory="
              + config.runDirectory()
              + " cause="
              + e
              + "; check the directories' owner, mode and free space",
          e);
    } catch (RuntimeException e) {
      CloseHelper.quietCloseAll(locks.reversed());
      throw e;
    }
  }

  /**
   * Delivers results to the listener and does a bounded share of background work; returns how much.
   */
  public int doWork() {
    int work = commits.doWork();
    work += quarantine.doWork();
    work += evictor.background();
    return work;
  }

  /**
   * Registers a holder of pins and reservations.
   *
   * @param instance an engine instance, or the node's own transfers
   * @param startTimeMillis start of the process since the epoch, 0 if unknown
   */
  public Owner openOwner(UUID instance, long pid, long startTimeMillis) {
    return owners.open(instance, pid, startTimeMillis);
  }

  /** Drops all pins of the owner; pins still being verified answer {@code ok == false}. */
  public void dropPins(Owner owner) {
    verifications.dropAll(owner);
    owners.dropPins(owner);
  }

  /**
   * The owner is gone: pins fall, its unfinished reservations are quarantined for the grace period.
   * What it has committed still becomes visible. Reservations for pulls stay until the node commits
   * or aborts them.
   */
  public void closeOwner(Owner owner) {
    dropPins(owner);
    owners.close(owner, quarantine);
  }

  /** The committed slot with this key, or {@link StoreCodes#NOT_FOUND}; no side effects. */
  public int find(ChunkKey key) {
    int slot = slots.index.find(key);
    return slot >= 0 && table.state(slot) == SlotState.COMMITTED ? slot : StoreCodes.NOT_FOUND;
  }

  /**
   * Keeps a committed slot in place until {@link #unpin}; counted, so it may be pinned repeatedly.
   *
   * @param cookie comes back in {@link StoreListener#onPinVerified}
   * @return {@link StoreCodes#PINNED}; {@link StoreCodes#VERIFYING} on the first use after a
   *     restart; {@link StoreCodes#OVER_SHARE}
   */
  public int pin(Owner owner, int slot, long cookie) {
    if (table.state(slot) != SlotState.COMMITTED) {
      throw misuse("only a committed slot can be pinned", slot);
    }
    if (!owners.pin(owner, slot)) {
      counters.refusedOverShare++;
      return StoreCodes.OVER_SHARE;
    }
    slots.policy.onAccess(slot);
    if (!slots.unverified.get(slot)) {
      return StoreCodes.PINNED;
    }
    if (verifications.add(slot, owner, cookie)) {
      commits.verify(slot);
    }
    return StoreCodes.VERIFYING;
  }

  /**
   * Someone found the bytes of this committed slot wrong: the next pin verifies them, and a chunk
   * that fails is removed. Pins held now are not disturbed.
   */
  public void doubt(int slot) {
    if (table.state(slot) != SlotState.COMMITTED) {
      throw misuse("only a committed slot can be doubted", slot);
    }
    slots.doubt(slot);
  }

  /** Gives one pin back. */
  public void unpin(Owner owner, int slot) {
    if (owner.pins.get(slot) == 0) {
      throw misuse("the owner does not pin this slot", slot);
    }
    if (slots.unverified.get(slot)) {
      verifications.drop(slot, owner);
    }
    owners.unpin(owner, slot);
  }

  /**
   * Reserves a slot for an engine to write into, evicting to make room.
   *
   * @return the slot, or {@link StoreCodes#ALREADY}, {@link StoreCodes#BUSY}, {@link
   *     StoreCodes#NO_SPACE}, {@link StoreCodes#OVER_SHARE}, {@link StoreCodes#TOO_LARGE}
   */
  public int reserve(
      Owner owner, ChunkKey key, long group, int namespaceId, int epoch, int lengthBytes) {
    return reserve(owner, key, group, namespaceId, epoch, lengthBytes, false);
  }

  /** As {@link #reserve}, for a pull: the node writes, so the slot needs no quarantine. */
  public int reserveForPull(
      Owner owner, ChunkKey key, long group, int namespaceId, int epoch, int lengthBytes) {
    return reserve(owner, key, group, namespaceId, epoch, lengthBytes, true);
  }

  private int reserve(
      Owner owner,
      ChunkKey key,
      long group,
      int namespaceId,
      int epoch,
      int lengthBytes,
      boolean nodeWrites) {
    if (lengthBytes <= 0) {
      throw misuse("a chunk has at least one byte", lengthBytes);
    }
    owners.checkOpen(owner);
    int granules = ExtentAllocator.granules(lengthBytes);
    long extentBytes = (long) granules * ExtentAllocator.GRANULE_BYTES;
    if (extentBytes > Math.min(config.segmentBytes(0), config.ownerShareBytes())) {
      counters.refusedTooLarge++;
      return StoreCodes.TOO_LARGE;
    }
    int present = slots.index.find(key);
    if (present >= 0) {
      if (table.state(present) != SlotState.COMMITTED) {
        return StoreCodes.BUSY;
      }
      if (table.epoch(present) >= epoch) {
        return StoreCodes.ALREADY;
      }
      if (slots.pins[present] > 0) {
        return StoreCodes.BUSY;
      }
      removeCommitted(present, RemovalReason.STALE_EPOCH);
    }
    if (!owners.hasShare(owner, extentBytes)) {
      counters.refusedOverShare++;
      return StoreCodes.OVER_SHARE;
    }
    if (!evictor.makeRoom(granules)) {
      counters.refusedNoSpace++;
      return StoreCodes.NO_SPACE;
    }
    int slot = slots.reserve(owner, key, group, namespaceId, epoch, lengthBytes, nodeWrites);
    owners.reserved(owner, slot);
    return slot;
  }

  /**
   * The engine has finished writing; answers by {@link StoreListener#onCommitted} with a new
   * version, or {@link StoreListener#onCommitFailed}.
   */
  public void commit(Owner owner, int slot, long cookie) {
    requireReserved(owner, slot);
    commits.commit(owner, slot, cookie, environment.nextId());
  }

  /**
   * All bytes of a pulled chunk are in place and the transport has found their checksum right; they
   * become visible. Answers before it returns.
   *
   * @param version the holder's version, kept
   * @param crc32c checksum of the bytes
   */
  public void commitPulled(Owner owner, int slot, long version, int crc32c, long cookie) {
    requireReserved(owner, slot);
    commits.commitPulled(owner, slot, cookie, version, crc32c);
  }

  /**
   * As {@link #commit}, when the checksums of all parts are known; answers before it returns.
   *
   * @param version from {@link #newVersion}
   * @param crc32c checksum of the bytes
   */
  public void commitParts(Owner owner, int slot, long version, int crc32c, long cookie) {
    requireReserved(owner, slot);
    commits.commitParts(owner, slot, cookie, version, crc32c);
  }

  /** A version for {@link #commitParts}. */
  public long newVersion() {
    return environment.nextId();
  }

  /**
   * Computes the CRC-32C of some bytes of a reserved or pinned slot, which must stay so until the
   * answer comes as {@link StoreListener#onChecksum}.
   */
  public void checksum(int slot, int offsetBytes, int lengthBytes, long cookie) {
    Objects.checkFromIndexSize(offsetBytes, lengthBytes, table.lengthBytes(slot));
    commits.checksum(slot, offsetBytes, lengthBytes, cookie);
  }

  /** Gives a reservation to another owner; false if that one's share is exhausted. */
  public boolean handOver(Owner from, Owner to, int slot) {
    requireReserved(from, slot);
    if (!owners.handOver(from, to, slot)) {
      counters.refusedOverShare++;
      return false;
    }
    return true;
  }

  /** Gives up a reservation whose writer may have a write under way. */
  public void quarantine(Owner owner, int slot) {
    requireReserved(owner, slot);
    owners.unreserved(owner, slot);
    quarantine.add(slot);
  }

  /** Returns a reservation that nobody writes to any more. */
  public void abort(Owner owner, int slot) {
    requireReserved(owner, slot);
    owners.unreserved(owner, slot);
    slots.abandon(slot);
  }

  /** Whether {@link #commit} or {@link #abort} may be called with these. */
  public boolean isReservedBy(Owner owner, int slot) {
    return owner.reserved.contains(slot) && table.state(slot) == SlotState.RESERVED;
  }

  private void requireReserved(Owner owner, int slot) {
    if (!isReservedBy(owner, slot)) {
      throw misuse("the owner has not reserved this slot", slot);
    }
  }

  private static IllegalArgumentException misuse(String sentence, long value) {
    return new IllegalArgumentException(
        "KVA-0209 store call refused - reason=\""
            + sentence
            + "\" value="
            + value
            + "; correct the caller");
  }

  /** Removes a committed chunk that nobody pins; false if it is absent or pinned. */
  public boolean drop(ChunkKey key) {
    int slot = find(key);
    if (slot < 0 || slots.pins[slot] > 0) {
      return false;
    }
    counters.drops++;
    removeCommitted(slot, RemovalReason.DROPPED);
    return true;
  }

  private void removeCommitted(int slot, RemovalReason reason) {
    listener.onRemoved(table.key(slot), table.group(slot), table.version(slot), reason);
    slots.remove(slot);
  }

  /** The bytes of a slot that is not free. Valid while the caller has it reserved or pinned. */
  public MemorySegment memory(int slot) {
    if (table.state(slot) == SlotState.FREE) {
      throw misuse("a free slot has no memory", slot);
    }
    return slots.slab.memory(table.offset(slot), table.lengthBytes(slot));
  }

  /** Length of the chunk. */
  public int lengthBytes(int slot) {
    return table.lengthBytes(slot);
  }

  /** Version of a committed chunk; never 0. */
  public long version(int slot) {
    return table.version(slot);
  }

  /** Checksum of a committed chunk. */
  public int crc32c(int slot) {
    return table.crc32c(slot);
  }

  /** Index into {@link #segments}. */
  public int segment(int slot) {
    return slots.slab.segmentOf(table.offset(slot));
  }

  /** Where the chunk begins in its segment, in bytes. */
  public long segmentOffset(int slot) {
    return slots.slab.offsetInSegment(table.offset(slot));
  }

  /** Key of the chunk. */
  public ChunkKey key(int slot) {
    return table.key(slot);
  }

  /** Group of the chunk. */
  public long group(int slot) {
    return table.group(slot);
  }

  /** Number of the chunk's namespace. */
  public int namespaceId(int slot) {
    return table.namespaceId(slot);
  }

  /** Epoch of the chunk. */
  public int epoch(int slot) {
    return table.epoch(slot);
  }

  /** State of the slot. */
  public SlotState state(int slot) {
    return table.state(slot);
  }

  /** Where the chunk begins in the slab, in bytes. */
  public long slabOffset(int slot) {
    return table.offset(slot);
  }

  /** What other nodes of this host need to find the slab, and to know it when they see it. */
  public SlabShare share() {
    SlotTable.Identity identity = table.identity();
    return new SlabShare(
        parts.uid(),
        identity.bootId(),
        identity.slabId(),
        identity.slabBytes(),
        identity.segmentBytes(),
        table.incarnation(),
        config.slabDirectory().toAbsolutePath().normalize());
  }

  /**
   * Writes two words where a node that maps this slab sees them; zeros void what stood there. When
   * this returns, no later write to the slab can be seen without them.
   *
   * @param cell from 0 to {@link SlabShare#CELLS} - 1
   */
  public void cell(int cell, long first, long second) {
    table.cell(cell, first, second);
  }

  /** The files that engines map. */
  public List<SegmentFile> segments() {
    return slots.slab.files();
  }

  /** Changes with every opening: slots and pins of another incarnation mean nothing. */
  public long incarnation() {
    return table.incarnation();
  }

  /**
   * The number of a namespace, persisted before it is answered. Control path: may touch the disk.
   */
  public int spaceId(Fingerprint fingerprint) {
    return parts.namespaces().id(fingerprint);
  }

  /** Visits every committed chunk. */
  public void forEachCommitted(SlotConsumer consumer) {
    for (int slot = 0; slot < table.slots(); slot++) {
      if (table.state(slot) == SlotState.COMMITTED) {
        consumer.accept(
            slot, table.key(slot), table.group(slot), table.version(slot), table.lengthBytes(slot));
      }
    }
  }

  /** A snapshot for people and metrics. */
  public StoreStats stats() {
    return StoreStats.of(slots, counters, openNs);
  }

  /**
   * The oracle: checks slab, slot table, free lists, index, directory, pins and byte counts against
   * each other. Walks everything, so it is for tests.
   *
   * @throws IllegalStateException with the first contradiction
   */
  public void assertValid() {
    new StoreOracle(slots, owners, quarantine, verifications).assertValid();
  }

  /** Stops the workers and unmaps everything; the chunks stay in their files. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      workers.close();
      slots.directory.close();
      table.close();
      slots.slab.close();
    } finally {
      CloseHelper.quietCloseAll(locks.reversed());
    }
  }
}
