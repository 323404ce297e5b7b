package io.kvasir.node.store;

import io.kvasir.placement.ChunkKey;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.agrona.concurrent.CachedNanoClock;
import org.jspecify.annotations.Nullable;

/**
 * A store in a folder of its own under {@code /dev/shm}, with a clock and a host that the test
 * sets, and what its listener heard. {@link #close} runs the oracle and deletes everything.
 */
final class StoreFixture implements AutoCloseable, StoreListener {
  static final int KIB = 1024;
  static final int MIB = 1024 * KIB;
  private static final long DEADLINE_NS = 30_000_000_000L;

  /** What the listener heard, as text: "committed 7 slot 3", "removed EVICTED". */
  record Answer(String what, long cookie, int slot, long value) {}

  /** A chunk that became visible or went away. */
  record Change(ChunkKey key, long version, boolean added) {}

  static final class FakeHost implements HostIdentity {
    UUID bootId = new UUID(1, 2);
    final Set<Long> alive = new HashSet<>();

    @Override
    public UUID bootId() {
      return bootId;
    }

    @Override
    public boolean isAlive(long pid, long startTimeMillis) {
      return alive.contains(pid);
    }
  }

  final Path folder;
  final CachedNanoClock clock = new CachedNanoClock();
  final FakeHost host = new FakeHost();
  final List<Answer> answers = new ArrayList<>();
  final List<Change> changes = new ArrayList<>();
  StoreConfig config;
  private final StoreEnvironment environment;
  private @Nullable Store store;

  StoreFixture(long seed) throws IOException {
    folder = Files.createTempDirectory(sharedMemory(), "kvasir-store-test-");
    config = config(16 * MIB, 4 * MIB, 256);
    environment = new StoreEnvironment(clock, host, new SplittableRandom(seed));
  }

  static Path sharedMemory() {
    Path shm = Path.of("/dev/shm");
    return Files.isDirectory(shm) ? shm : Path.of(System.getProperty("java.io.tmpdir"));
  }

  StoreConfig config(long slabBytes, long segmentBytes, int maxChunks) {
    return new StoreConfig(
        folder.resolve("slab"),
        folder.resolve("run"),
        slabBytes,
        segmentBytes,
        maxChunks,
        0.5,
        "lru",
        1.0,
        1.0,
        2,
        Duration.ofSeconds(5),
        true);
  }

  /** The store, opened at the first call. */
  Store store() {
    if (store == null) {
      store = Store.open(config, this, () -> {}, environment);
    }
    return store;
  }

  /** Ends the store in order. */
  void stop() {
    if (store != null) {
      store.assertValid();
      store.close();
      store = null;
    }
  }

  Store reopen() {
    stop();
    return store();
  }

  Path slabFile(String name) {
    return config.slabDirectory().resolve(name);
  }

  Owner owner(long pid) {
    return store().openOwner(new UUID(7, pid), pid, 1000 + pid);
  }

  /** Keys of the chunks that were removed so far, in order. */
  List<ChunkKey> removed() {
    return changes.stream().filter(change -> !change.added()).map(Change::key).toList();
  }

  static ChunkKey key(long number) {
    SplittableRandom words = new SplittableRandom(number);
    return new ChunkKey(words.nextLong(), words.nextLong(), words.nextLong(), words.nextLong());
  }

  /** Bytes that follow from key and offset alone, so that a reader can prove them. */
  static void fill(MemorySegment memory, long number) {
    for (long at = 0; at + Long.BYTES <= memory.byteSize(); at += Long.BYTES) {
      memory.set(ValueLayout.JAVA_LONG_UNALIGNED, at, word(number, at));
    }
  }

  static boolean isFilled(MemorySegment memory, long number) {
    for (long at = 0; at + Long.BYTES <= memory.byteSize(); at += Long.BYTES) {
      if (memory.get(ValueLayout.JAVA_LONG_UNALIGNED, at) != word(number, at)) {
        return false;
      }
    }
    return true;
  }

  private static long word(long number, long at) {
    return (number * 0x9E37_79B9_7F4A_7C15L) ^ (at * 0xC2B2_AE3D_27D4_EB4FL);
  }

  int reserve(Owner owner, long number, int lengthBytes) {
    return store().reserve(owner, key(number), number, 1, 0, lengthBytes);
  }

  /** Stores a chunk and waits until it is visible; answers its slot. */
  int put(Owner owner, long number, int lengthBytes) {
    int slot = reserve(owner, number, lengthBytes);
    if (slot < 0) {
      throw new AssertionError("not reserved: " + StoreCodes.name(slot));
    }
    fill(store().memory(slot), number);
    store().commit(owner, slot, number);
    Answer answer = await("committed", number);
    if (answer.slot() != slot) {
      throw new AssertionError("committed another slot: " + answer);
    }
    return slot;
  }

  /** Runs the duty cycle until the listener has heard this; removes and answers it. */
  Answer await(String what, long cookie) {
    long startedNs = System.nanoTime();
    while (true) {
      for (int i = 0; i < answers.size(); i++) {
        Answer answer = answers.get(i);
        if (answer.cookie() == cookie && answer.what().equals(what)) {
          return answers.remove(i);
        }
      }
      if (System.nanoTime() - startedNs > DEADLINE_NS) {
        throw new AssertionError("no answer \"" + what + " " + cookie + "\" in " + answers);
      }
      if (store().doWork() == 0) {
        LockSupport.parkNanos(20_000);
      }
    }
  }

  @Override
  public void onCommitted(long cookie, int slot, long version) {
    answers.add(new Answer("committed", cookie, slot, version));
  }

  @Override
  public void onCommitFailed(long cookie, int slot, int code) {
    answers.add(new Answer("failed", cookie, slot, code));
  }

  @Override
  public void onPinVerified(long cookie, int slot, boolean ok) {
    answers.add(new Answer("verified", cookie, slot, ok ? 1 : 0));
  }

  @Override
  public void onChecksum(long cookie, int slot, int crc32c) {
    throw new IllegalStateException("no checksum is asked for here");
  }

  @Override
  public void onAdded(ChunkKey key, long group, long version, int lengthBytes) {
    changes.add(new Change(key, version, true));
  }

  @Override
  public void onRemoved(ChunkKey key, long group, long version, RemovalReason reason) {
    changes.add(new Change(key, version, false));
  }

  @Override
  public void close() throws IOException {
    try {
      stop();
    } finally {
      delete(folder);
    }
  }

  static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
