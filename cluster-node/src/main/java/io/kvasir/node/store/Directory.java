package io.kvasir.node.store;

import io.kvasir.placement.ChunkKey;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import net.openhft.chronicle.map.ChronicleMap;
import net.openhft.chronicle.map.ChronicleMapBuilder;
import org.jspecify.annotations.Nullable;

/**
 * The node's persistent map from chunk key to place, in a Chronicle Map of raw fixed-size entries.
 *
 * <p>Crash rules: an existing file is never opened plainly, always recovered, with a deadline and
 * after a look at its header (a zeroed one makes Chronicle wait for a minute). Whatever goes wrong,
 * or if the identity entry is not that of the slab, the file is dropped and the slot table fills a
 * new one.
 *
 * <p>Key: 32 bytes; the identity entry has 32 bytes of 0xFF. Value, little-endian:
 *
 * <pre>
 *   0  u32 place (slot)     8  u64 version     24  u32 namespace id     32  u32 crc32c
 *   4  u32 length, bytes   16  u64 group       28  u32 epoch            36  u32 tier, 0 = slab
 *   identity entry:         0  u64+u64 boot id 16  u64 slab id          24  u64 slab bytes, 32 u64 segment bytes
 * </pre>
 *
 * <p>Not thread-safe: node agent only.
 */
final class Directory implements AutoCloseable {
  static final String FILE_NAME = "directory.kv";

  private static final int KEY_BYTES = 32;
  private static final int VALUE_BYTES = 40;
  private static final int TIER_SLAB = 0;
  private static final long RECOVERY_DEADLINE_SECONDS = 60;
  private static final byte[] IDENTITY_KEY = new byte[KEY_BYTES];
  private static final int HEADER_WORD_AT = 8;
  private static final int HEADER_NOT_READY = 0xC000_0000;
  private static final int HEADER_BYTES_MAX = 1 << 16;
  private static final int HEAD_BYTES = 4096;
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  static {
    Arrays.fill(IDENTITY_KEY, (byte) 0xFF);
  }

  private final ChronicleMap<byte[], byte[]> map;
  private final Path file;
  private final byte[] key = new byte[KEY_BYTES];
  private final byte[] value = new byte[VALUE_BYTES];
  private final byte[] found = new byte[VALUE_BYTES];

  private Directory(ChronicleMap<byte[], byte[]> map, Path file) {
    this.map = map;
    this.file = file;
  }

  private static ChronicleMapBuilder<byte[], byte[]> builder(int maxChunks) {
    return ChronicleMapBuilder.of(byte[].class, byte[].class)
        .name("directory")
        .constantKeySizeBySample(new byte[KEY_BYTES])
        .constantValueSizeBySample(new byte[VALUE_BYTES])
        .entries(maxChunks + 1L)
        .putReturnsNull(true)
        .removeReturnsNull(true);
  }

  /**
   * Makes an empty directory; every page of its file is backed, so that no later put can fail on
   * it.
   */
  static Directory create(Path file, SlotTable.Identity identity) throws IOException {
    Files.deleteIfExists(file);
    ChronicleMap<byte[], byte[]> map = builder(identity.slots()).createPersistedTo(file.toFile());
    try {
      OwnerOnly.restrict(file);
      backWithMemory(file);
      Directory directory = new Directory(map, file);
      map.put(IDENTITY_KEY, identityValue(identity));
      return directory;
    } catch (IOException | RuntimeException e) {
      map.close();
      Files.deleteIfExists(file);
      throw e;
    }
  }

  /** Recovers an existing file, or answers null if it is missing, damaged or not of this slab. */
  static @Nullable Directory recover(Path file, SlotTable.Identity identity) throws IOException {
    if (!looksLikeDirectory(file)) {
      return null;
    }
    FutureTask<ChronicleMap<byte[], byte[]>> recovery =
        new FutureTask<>(() -> builder(identity.slots()).recoverPersistedTo(file.toFile(), true));
    Thread.ofPlatform().daemon().name("kvasir-directory-recovery").start(recovery);
    ChronicleMap<byte[], byte[]> map;
    try {
      map = recovery.get(RECOVERY_DEADLINE_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException e) {
      return null;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while recovering " + file, e);
    }
    byte[] stored = map.get(IDENTITY_KEY);
    if (stored == null || !Arrays.equals(stored, identityValue(identity))) {
      map.close();
      return null;
    }
    return new Directory(map, file);
  }

  /** Whether the file starts like a finished Chronicle header; anything else is not worth a try. */
  private static boolean looksLikeDirectory(Path file) throws IOException {
    if (!Files.isRegularFile(file) || Files.size(file) < HEAD_BYTES) {
      return false;
    }
    ByteBuffer head = ByteBuffer.allocate(HEAD_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      channel.read(head, 0);
    }
    int word = head.getInt(HEADER_WORD_AT);
    return (word & HEADER_NOT_READY) == 0
        && word > 0
        && word <= HEADER_BYTES_MAX
        && new String(head.array(), StandardCharsets.ISO_8859_1).contains("VanillaChronicleMap");
  }

  /** Writes each block of a file over itself: a hole in tmpfs becomes a page, or an IOException. */
  private static void backWithMemory(Path file) throws IOException {
    ByteBuffer block = ByteBuffer.allocateDirect(1 << 20);
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      for (long at = 0; at < channel.size(); at += block.limit()) {
        block.clear();
        int read = channel.read(block, at);
        if (read <= 0) {
          return;
        }
        block.flip();
        for (long to = at; block.hasRemaining(); ) {
          to += channel.write(block, to);
        }
      }
    }
  }

  private static byte[] identityValue(SlotTable.Identity identity) {
    byte[] value = new byte[VALUE_BYTES];
    LONG.set(value, 0, identity.bootId().getMostSignificantBits());
    LONG.set(value, 8, identity.bootId().getLeastSignificantBits());
    LONG.set(value, 16, identity.slabId());
    LONG.set(value, 24, identity.slabBytes());
    LONG.set(value, 32, identity.segmentBytes());
    return value;
  }

  /**
   * Writes the entry of a slot from its record.
   *
   * @throws IllegalStateException if the map has no room
   */
  void put(SlotTable table, int slot) {
    table.key(slot).toBytes(key, 0);
    valueOf(table, slot);
    map.put(key, value);
  }

  void remove(ChunkKey chunk) {
    chunk.toBytes(key, 0);
    map.remove(key);
  }

  /** Whether the directory holds exactly what the slot's record says. */
  boolean matches(SlotTable table, int slot) {
    table.key(slot).toBytes(key, 0);
    valueOf(table, slot);
    byte[] stored = map.getUsing(key, found);
    return stored != null && Arrays.equals(stored, value);
  }

  private void valueOf(SlotTable table, int slot) {
    INT.set(value, 0, slot);
    INT.set(value, 4, table.lengthBytes(slot));
    LONG.set(value, 8, table.version(slot));
    LONG.set(value, 16, table.group(slot));
    INT.set(value, 24, table.namespaceId(slot));
    INT.set(value, 28, table.epoch(slot));
    INT.set(value, 32, table.crc32c(slot));
    INT.set(value, 36, TIER_SLAB);
  }

  /** Removes every entry that {@code index} does not know as committed; returns how many. */
  int removeUnknown(KeyIndex index) {
    int before = entries();
    map.forEachEntry(
        entry -> {
          byte[] bytes = entry.key().get();
          if (!Arrays.equals(bytes, IDENTITY_KEY) && index.find(ChunkKey.fromBytes(bytes, 0)) < 0) {
            entry.doRemove();
          }
        });
    return before - entries();
  }

  /** Chunks in the directory. */
  int entries() {
    return (int) (map.longSize() - 1);
  }

  /** Bytes of the file as it is on the file system. */
  long fileBytes() {
    return file.toFile().length();
  }

  @Override
  public void close() {
    map.close();
  }
}
