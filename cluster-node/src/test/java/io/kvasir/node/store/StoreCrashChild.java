package io.kvasir.node.store;

import io.kvasir.placement.ChunkKey;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.locks.LockSupport;

/**
 * The process that {@link StoreCrashTest} kills: stores and evicts without end. It appends one line
 * to a log for every acknowledged commit, and one for every eviction before it happens. A line
 * written is in the page cache, so it outlives the kill.
 */
final class StoreCrashChild implements StoreListener {
  static final int KEYS = 400;
  private static final int IN_FLIGHT_MAX = 8;
  private static final int LENGTH_MAX = 120 * 1024;

  private final FileChannel log;
  private final SplittableRandom random;
  private int inFlight;

  private StoreCrashChild(FileChannel log, long seed) {
    this.log = log;
    this.random = new SplittableRandom(seed);
  }

  static StoreConfig config(Path folder) {
    return config(folder, 0.95, 0.9);
  }

  /** Without background eviction: whoever only looks must not remove what the log names. */
  static StoreConfig configOfReader(Path folder) {
    return config(folder, 1.0, 1.0);
  }

  private static StoreConfig config(Path folder, double highWatermark, double lowWatermark) {
    return new StoreConfig(
        folder.resolve("slab"),
        folder.resolve("run"),
        8 << 20,
        2 << 20,
        160,
        0.5,
        "s3fifo",
        highWatermark,
        lowWatermark,
        2,
        Duration.ofSeconds(1),
        true);
  }

  /** Arguments: folder, log file, seed. Prints OPEN when the load begins. */
  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]);
    try (FileChannel log =
        FileChannel.open(
            Path.of(arguments[1]), StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
      StoreCrashChild child = new StoreCrashChild(log, Long.parseLong(arguments[2]));
      // A line that the kill before cut short ends here.
      child.write("\n");
      try (Store store = Store.open(config(folder), child, () -> {})) {
        store.assertValid();
        System.out.println("OPEN");
        child.run(store);
      }
    }
  }

  private void run(Store store) {
    ProcessHandle self = ProcessHandle.current();
    long startMillis = self.info().startInstant().orElseThrow().toEpochMilli();
    Owner owner = store.openOwner(new UUID(1, self.pid()), self.pid(), startMillis);
    while (true) {
      int work = store.doWork();
      if (inFlight >= IN_FLIGHT_MAX) {
        if (work == 0) {
          LockSupport.parkNanos(10_000);
        }
        continue;
      }
      long number = random.nextInt(KEYS);
      ChunkKey key = StoreFixture.key(number);
      if (random.nextInt(20) == 0) {
        store.drop(key);
        continue;
      }
      int slot = store.reserve(owner, key, number, 1, 0, 16 + random.nextInt(LENGTH_MAX));
      if (slot >= 0 && random.nextInt(30) == 0) {
        store.abort(owner, slot);
      } else if (slot >= 0) {
        StoreFixture.fill(store.memory(slot), number);
        store.commit(owner, slot, number);
        inFlight++;
      }
    }
  }

  private void write(String line) {
    ByteBuffer bytes = ByteBuffer.wrap(line.getBytes(StandardCharsets.US_ASCII));
    try {
      while (bytes.hasRemaining()) {
        log.write(bytes);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void onCommitted(long cookie, int slot, long version) {
    inFlight--;
    write("C " + StoreFixture.key(cookie) + " " + version + " .\n");
  }

  @Override
  public void onCommitFailed(long cookie, int slot, int code) {
    throw new IllegalStateException("commit failed: " + StoreCodes.name(code));
  }

  @Override
  public void onPinVerified(long cookie, int slot, boolean ok) {
    throw new IllegalStateException("nothing is pinned here");
  }

  @Override
  public void onChecksum(long cookie, int slot, int crc32c) {
    throw new IllegalStateException("no checksum is asked for here");
  }

  @Override
  public void onAdded(ChunkKey key, long group, long version, int lengthBytes) {}

  @Override
  public void onRemoved(ChunkKey key, long group, long version, RemovalReason reason) {
    write("R " + key + " " + version + " .\n");
  }
}
