package io.kvasir.node.store;

import static io.kvasir.node.store.StoreFixture.key;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.kvasir.placement.ChunkKey;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a chunk costs in memory, and a call in time and garbage; times are printed, not judged. */
@Timeout(900)
class StoreCostTest {
  private static final boolean FULL = Boolean.getBoolean("kvasir.full");
  private static final int CHUNKS = FULL ? 1_000_000 : 100_000;
  private static final int BYTES_PER_CHUNK_MAX = 250;

  @Test
  void shouldTakeAtMost250BytesPerChunkForDirectoryAndSlotTable() throws IOException {
    Path folder = Files.createTempDirectory(StoreFixture.sharedMemory(), "kvasir-cost-test-");
    SlotTable.Identity identity =
        new SlotTable.Identity(new UUID(1, 2), 3, CHUNKS * 4096L, 1 << 30, CHUNKS);
    try (SlotTable table = SlotTable.create(folder.resolve(SlotTable.FILE_NAME), identity);
        Directory directory = Directory.create(folder.resolve(Directory.FILE_NAME), identity)) {
      KeyIndex index = new KeyIndex(table);
      long startedNs = System.nanoTime();
      for (int slot = 0; slot < CHUNKS; slot++) {
        table.describe(slot, key(slot), slot, 1, 0, 4096, slot * 4096L);
        table.seal(slot, 1 + slot, slot);
        directory.put(table, slot);
        index.add(slot);
      }
      long filledNs = System.nanoTime() - startedNs;
      churn(table, directory, index);

      assertEquals(CHUNKS, directory.entries());
      long tableBytes = SlotTable.fileBytes(CHUNKS);
      double perChunk = (double) (tableBytes + directory.fileBytes()) / CHUNKS;
      System.out.printf(
          "store cost chunks=%d slotTable=%.1f directory=%.1f sum=%.1f B/chunk fill=%d ns/chunk%n",
          CHUNKS,
          (double) tableBytes / CHUNKS,
          (double) directory.fileBytes() / CHUNKS,
          perChunk,
          filledNs / CHUNKS);
      assertTrue(perChunk <= BYTES_PER_CHUNK_MAX, "bytes per chunk: " + perChunk);
    } finally {
      StoreFixture.delete(folder);
    }
  }

  /** A full directory must stay within its limits when entries come and go. */
  private static void churn(SlotTable table, Directory directory, KeyIndex index) {
    SplittableRandom random = new SplittableRandom(11);
    for (int i = 0; i < CHUNKS / 2; i++) {
      int slot = random.nextInt(CHUNKS);
      directory.remove(table.key(slot));
      index.remove(slot);
      table.describe(slot, key(CHUNKS + (long) i), slot, 1, 0, 4096, slot * 4096L);
      directory.put(table, slot);
      index.add(slot);
    }
  }

  @Test
  void shouldNotAllocateWhenAChunkIsFoundPinnedAndUnpinned() throws IOException {
    int chunks = 10_000;
    try (StoreFixture fixture = new StoreFixture(1)) {
      StoreConfig c = fixture.config(chunks * 4096L, 1 << 30, chunks);
      fixture.config =
          new StoreConfig(
              c.slabDirectory(),
              c.runDirectory(),
              c.slabBytes(),
              Math.min(c.segmentBytes(), c.slabBytes()),
              chunks,
              1.0,
              "s3fifo",
              1.0,
              1.0,
              1,
              Duration.ZERO,
              false);
      Store store = fixture.store();
      Owner owner = fixture.owner(1);
      ChunkKey[] keys = new ChunkKey[chunks];
      for (int i = 0; i < chunks; i++) {
        keys[i] = key(i);
      }
      long reserveNs = fill(fixture, store, owner, keys);
      for (int warmUp = 0; warmUp < 4; warmUp++) {
        for (ChunkKey key : keys) {
          assertTrue(store.drop(key));
        }
        fixture.answers.clear();
        reserveNs = fill(fixture, store, owner, keys);
      }
      ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      long allocated = Long.MAX_VALUE;
      long ns = Long.MAX_VALUE;
      int rounds = 30;
      // The compilers may take longer than that on a busy machine.
      long limitNs = System.nanoTime() + Duration.ofSeconds(60).toNanos();
      for (int round = 0;
          round < rounds || (allocated >= chunks && System.nanoTime() - limitNs < 0);
          round++) {
        long beforeBytes = threads.getCurrentThreadAllocatedBytes();
        long beforeNs = System.nanoTime();
        for (int i = 0; i < chunks; i++) {
          int slot = store.find(keys[(int) (i * 7919L % chunks)]);
          store.pin(owner, slot, 0);
          store.unpin(owner, slot);
        }
        ns = Math.min(ns, System.nanoTime() - beforeNs);
        allocated = threads.getCurrentThreadAllocatedBytes() - beforeBytes;
      }
      System.out.printf(
          "store cost find+pin+unpin=%d ns reserve+commit+callback=%d ns allocated=%.3f B/op%n",
          ns / chunks, reserveNs / chunks, (double) allocated / chunks);
      assertTrue(allocated < chunks, "allocated " + allocated + " B in " + chunks + " calls");
    }
  }

  /** Stores every chunk in batches; answers the CPU time of the owner's thread less its waiting. */
  private static long fill(StoreFixture fixture, Store store, Owner owner, ChunkKey[] keys) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long busyNs = 0;
    int batch = 50;
    for (int from = 0; from < keys.length; from += batch) {
      long startedNs = threads.getCurrentThreadCpuTime();
      for (int i = from; i < from + batch; i++) {
        store.commit(owner, store.reserve(owner, keys[i], i, 1, 0, 4096), i);
      }
      busyNs += threads.getCurrentThreadCpuTime() - startedNs;
      while (fixture.answers.size() < from + batch) {
        startedNs = threads.getCurrentThreadCpuTime();
        if (store.doWork() == 0) {
          LockSupport.parkNanos(10_000);
        } else {
          busyNs += threads.getCurrentThreadCpuTime() - startedNs;
        }
      }
    }
    return busyNs;
  }
}
