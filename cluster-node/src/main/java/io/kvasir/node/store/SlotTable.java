package io.kvasir.node.store;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.kvasir.placement.ChunkKey;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The mapped file {@code slots.kv}: a 4 KiB header and one 128-byte record per slot. It outlives
 * the process, so it alone says after a kill which chunks are whole. The state word of a record is
 * written last, with release order; a record's other fields count only as far as its state says.
 *
 * <p>All numbers little-endian, the key in its own byte order.
 *
 * <pre>
 *  record   0  u32 state            64  u32 crc32c of the chunk     96  u64 owner instance, high half
 *           4  u32 length, bytes    68  u32 namespace id           104  u64 owner instance, low half
 *           8  u64 slab offset      72  u32 epoch                  112  u32 flags (1: the node itself writes)
 *          16  32 B chunk key       76  u32 reserved, 0            116  u32 reserved, 0
 *          48  u64 group            80  u64 owner pid              120  u32 reserved, 0
 *          56  u64 version          88  u64 owner start, ms        124  u32 crc32c of bytes 4 to 79
 * </pre>
 *
 * <p>Not thread-safe: one writer, the node agent. Drawn with its crash rules in docs/spec/files.md.
 */
final class SlotTable implements AutoCloseable {
  static final String FILE_NAME = "slots.kv";
  static final int HEADER_BYTES = 4096;
  static final int RECORD_BYTES = 128;
  static final int FORMAT_VERSION = 1;

  private static final long MAGIC = 0x0031_544f_4c53_564bL; // "KVSLOT1" in file order
  private static final int MAGIC_AT = 0;
  private static final int VERSION_AT = 8;
  private static final int RECORD_BYTES_AT = 12;
  private static final int BOOT_HIGH_AT = 16;
  private static final int BOOT_LOW_AT = 24;
  private static final int SLAB_ID_AT = 32;
  private static final int SLAB_BYTES_AT = 40;
  private static final int SEGMENT_BYTES_AT = 48;
  private static final int SLOTS_AT = 56;
  private static final int HEADER_CRC_AT = 60;
  private static final int INCARNATION_AT = 64;

  /** Places in the header where neighbours find what proves that they see this memory. */
  static final int CELLS = 248;

  private static final int CELLS_AT = 128;
  private static final int CELL_BYTES = 16;

  private static final int STATE_AT = 0;
  private static final int LENGTH_AT = 4;
  private static final int OFFSET_AT = 8;
  private static final int KEY_AT = 16;
  private static final int GROUP_AT = 48;
  private static final int VERSION_WORD_AT = 56;
  private static final int CRC_AT = 64;
  private static final int NAMESPACE_AT = 68;
  private static final int EPOCH_AT = 72;
  private static final int OWNER_PID_AT = 80;
  private static final int OWNER_START_AT = 88;
  private static final int OWNER_HIGH_AT = 96;
  private static final int OWNER_LOW_AT = 104;
  private static final int FLAGS_AT = 112;
  private static final int RECORD_CRC_AT = 124;
  private static final int SEALED_FROM = 4;
  private static final int SEALED_BYTES = 76;

  private static final int FLAG_NODE_WRITES = 1;

  private static final ValueLayout.OfInt INT = JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG = JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong KEY_WORD = JAVA_LONG.withOrder(ByteOrder.BIG_ENDIAN);
  private static final VarHandle INT_HANDLE = INT.varHandle();
  private static final VarHandle LONG_HANDLE = LONG.varHandle();

  private final Arena arena = Arena.ofShared();
  private final MemorySegment table;
  private final ByteBuffer sealed;
  private final MemorySegment sealedSegment;
  private final CRC32C crc = new CRC32C();
  private final int slots;

  private SlotTable(FileChannel channel, int slots) throws IOException {
    this.slots = slots;
    this.table = channel.map(FileChannel.MapMode.READ_WRITE, 0, fileBytes(slots), arena);
    this.sealed = ByteBuffer.allocate(SEALED_BYTES);
    this.sealedSegment = MemorySegment.ofBuffer(sealed);
  }

  /** What a slot table was made for; all of it must match before its records mean anything. */
  record Identity(UUID bootId, long slabId, long slabBytes, long segmentBytes, int slots) {}

  static long fileBytes(int slots) {
    return HEADER_BYTES + (long) slots * RECORD_BYTES;
  }

  /** Makes an empty table. The magic goes in last: a file without it is no slot table. */
  static SlotTable create(Path file, Identity identity) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file,
            Set.of(
                StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE),
            OwnerOnly.file())) {
      ByteBuffer zeros = ByteBuffer.allocateDirect(1 << 20);
      long length = fileBytes(identity.slots());
      for (long written = 0; written < length; ) {
        zeros.clear().limit((int) Math.min(zeros.capacity(), length - written));
        written += channel.write(zeros, written);
      }
      SlotTable created = new SlotTable(channel, identity.slots());
      MemorySegment header = created.table;
      header.set(INT, VERSION_AT, FORMAT_VERSION);
      header.set(INT, RECORD_BYTES_AT, RECORD_BYTES);
      header.set(LONG, BOOT_HIGH_AT, identity.bootId().getMostSignificantBits());
      header.set(LONG, BOOT_LOW_AT, identity.bootId().getLeastSignificantBits());
      header.set(LONG, SLAB_ID_AT, identity.slabId());
      header.set(LONG, SLAB_BYTES_AT, identity.slabBytes());
      header.set(LONG, SEGMENT_BYTES_AT, identity.segmentBytes());
      header.set(INT, SLOTS_AT, identity.slots());
      header.set(INT, HEADER_CRC_AT, created.headerCrc());
      LONG_HANDLE.setRelease(header, (long) MAGIC_AT, MAGIC);
      return created;
    }
  }

  /**
   * Opens an existing table, or answers null if the file is no whole table of this format. The
   * caller compares {@link #identity} with what it expects.
   */
  static @Nullable SlotTable openExisting(Path file) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      if (channel.size() < HEADER_BYTES) {
        return null;
      }
      ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      while (header.hasRemaining() && channel.read(header, header.position()) > 0) {
        // until the header is whole
      }
      int slots = header.getInt(SLOTS_AT);
      if (header.hasRemaining()
          || header.getLong(MAGIC_AT) != MAGIC
          || header.getInt(VERSION_AT) != FORMAT_VERSION
          || header.getInt(RECORD_BYTES_AT) != RECORD_BYTES
          || slots <= 0
          || channel.size() != fileBytes(slots)) {
        return null;
      }
      SlotTable opened = new SlotTable(channel, slots);
      if (opened.table.get(INT, HEADER_CRC_AT) != opened.headerCrc()) {
        opened.close();
        return null;
      }
      return opened;
    }
  }

  Identity identity() {
    return identity(table);
  }

  private static Identity identity(MemorySegment header) {
    return new Identity(
        new UUID(header.get(LONG, BOOT_HIGH_AT), header.get(LONG, BOOT_LOW_AT)),
        header.get(LONG, SLAB_ID_AT),
        header.get(LONG, SLAB_BYTES_AT),
        header.get(LONG, SEGMENT_BYTES_AT),
        header.get(INT, SLOTS_AT));
  }

  private int headerCrc() {
    return headerCrc(table);
  }

  private static int headerCrc(MemorySegment header) {
    CRC32C crc = new CRC32C();
    crc.update(header.asSlice(VERSION_AT, HEADER_CRC_AT - VERSION_AT).asByteBuffer());
    return (int) crc.getValue();
  }

  /** What the mapped header of another node's table says, or null if it is none of this format. */
  static @Nullable Identity foreignIdentity(MemorySegment header) {
    boolean isWhole =
        (long) LONG_HANDLE.getAcquire(header, (long) MAGIC_AT) == MAGIC
            && header.get(INT, VERSION_AT) == FORMAT_VERSION
            && header.get(INT, HEADER_CRC_AT) == headerCrc(header);
    return isWhole ? identity(header) : null;
  }

  /** The incarnation in a mapped header. */
  static long foreignIncarnation(MemorySegment header) {
    return (long) LONG_HANDLE.getAcquire(header, (long) INCARNATION_AT);
  }

  /** A word of a cell in a mapped header; {@code word} is 0 or 1. */
  static long foreignCell(MemorySegment header, int cell, int word) {
    return (long) LONG_HANDLE.getAcquire(header, cellAt(cell) + (long) word * Long.BYTES);
  }

  private static long cellAt(int cell) {
    return CELLS_AT + (long) cell * CELL_BYTES;
  }

  /** Fills a cell. */
  void cell(int cell, long first, long second) {
    LONG_HANDLE.setVolatile(table, cellAt(cell) + Long.BYTES, second);
    LONG_HANDLE.setVolatile(table, cellAt(cell), first);
  }

  /** Changes with every opening; readers of this memory in other processes compare it. */
  long incarnation() {
    return (long) LONG_HANDLE.getAcquire(table, (long) INCARNATION_AT);
  }

  void incarnation(long incarnation) {
    LONG_HANDLE.setVolatile(table, (long) INCARNATION_AT, incarnation);
    for (int cell = 0; cell < CELLS; cell++) {
      cell(cell, 0, 0);
    }
  }

  int slots() {
    return slots;
  }

  private static long at(int slot, int field) {
    return HEADER_BYTES + (long) slot * RECORD_BYTES + field;
  }

  /** The state code as the file holds it; may be no code after damage. */
  int stateCode(int slot) {
    return (int) INT_HANDLE.getAcquire(table, at(slot, STATE_AT));
  }

  SlotState state(int slot) {
    return SlotState.ofCode(stateCode(slot));
  }

  /**
   * The one way a slot changes its state. The release store makes the fields written before it
   * visible no later than the state, also to the process that opens the file after a kill.
   */
  void state(int slot, SlotState next) {
    SlotState current = state(slot);
    if (!current.mayBecome(next)) {
      throw new IllegalStateException(
          "KVA-0290 slot state may not change like this - slot="
              + slot
              + " from="
              + current
              + " to="
              + next
              + "; report this as a bug");
    }
    INT_HANDLE.setRelease(table, at(slot, STATE_AT), next.code());
  }

  /** Frees a record whatever it holds; only while opening, when nothing refers to it. */
  void wipe(int slot) {
    INT_HANDLE.setRelease(table, at(slot, STATE_AT), SlotState.FREE.code());
  }

  /** Fills the record of a FREE slot; the state follows by {@link #state}. */
  void describe(
      int slot,
      ChunkKey key,
      long group,
      int namespaceId,
      int epoch,
      int lengthBytes,
      long offset) {
    table.set(INT, at(slot, LENGTH_AT), lengthBytes);
    table.set(LONG, at(slot, OFFSET_AT), offset);
    table.set(KEY_WORD, at(slot, KEY_AT), key.w0());
    table.set(KEY_WORD, at(slot, KEY_AT + 8), key.w1());
    table.set(KEY_WORD, at(slot, KEY_AT + 16), key.w2());
    table.set(KEY_WORD, at(slot, KEY_AT + 24), key.w3());
    table.set(LONG, at(slot, GROUP_AT), group);
    table.set(LONG, at(slot, VERSION_WORD_AT), 0L);
    table.set(INT, at(slot, CRC_AT), 0);
    table.set(INT, at(slot, NAMESPACE_AT), namespaceId);
    table.set(INT, at(slot, EPOCH_AT), epoch);
  }

  void owner(int slot, long pid, long startTimeMillis, UUID instance, boolean nodeWrites) {
    table.set(LONG, at(slot, OWNER_PID_AT), pid);
    table.set(LONG, at(slot, OWNER_START_AT), startTimeMillis);
    table.set(LONG, at(slot, OWNER_HIGH_AT), instance.getMostSignificantBits());
    table.set(LONG, at(slot, OWNER_LOW_AT), instance.getLeastSignificantBits());
    table.set(INT, at(slot, FLAGS_AT), nodeWrites ? FLAG_NODE_WRITES : 0);
  }

  /**
   * Writes version and checksum and seals the record; the commit word follows by {@link #state}.
   */
  void seal(int slot, long version, int crc32c) {
    table.set(LONG, at(slot, VERSION_WORD_AT), version);
    table.set(INT, at(slot, CRC_AT), crc32c);
    table.set(INT, at(slot, RECORD_CRC_AT), recordCrc(slot));
  }

  /** Whether a committed record is what {@link #seal} left. */
  boolean isSealed(int slot) {
    return table.get(INT, at(slot, RECORD_CRC_AT)) == recordCrc(slot);
  }

  private int recordCrc(int slot) {
    MemorySegment.copy(table, at(slot, SEALED_FROM), sealedSegment, 0, SEALED_BYTES);
    crc.reset();
    crc.update(sealed.clear());
    return (int) crc.getValue();
  }

  int lengthBytes(int slot) {
    return table.get(INT, at(slot, LENGTH_AT));
  }

  long offset(int slot) {
    return table.get(LONG, at(slot, OFFSET_AT));
  }

  /** Hash of the slot's key, without making an object. */
  int keyHash(int slot) {
    return KeyIndex.hash(table.get(KEY_WORD, at(slot, KEY_AT + 8)));
  }

  boolean hasKey(int slot, ChunkKey key) {
    return table.get(KEY_WORD, at(slot, KEY_AT)) == key.w0()
        && table.get(KEY_WORD, at(slot, KEY_AT + 8)) == key.w1()
        && table.get(KEY_WORD, at(slot, KEY_AT + 16)) == key.w2()
        && table.get(KEY_WORD, at(slot, KEY_AT + 24)) == key.w3();
  }

  ChunkKey key(int slot) {
    return new ChunkKey(
        table.get(KEY_WORD, at(slot, KEY_AT)),
        table.get(KEY_WORD, at(slot, KEY_AT + 8)),
        table.get(KEY_WORD, at(slot, KEY_AT + 16)),
        table.get(KEY_WORD, at(slot, KEY_AT + 24)));
  }

  long group(int slot) {
    return table.get(LONG, at(slot, GROUP_AT));
  }

  long version(int slot) {
    return table.get(LONG, at(slot, VERSION_WORD_AT));
  }

  int crc32c(int slot) {
    return table.get(INT, at(slot, CRC_AT));
  }

  int namespaceId(int slot) {
    return table.get(INT, at(slot, NAMESPACE_AT));
  }

  int epoch(int slot) {
    return table.get(INT, at(slot, EPOCH_AT));
  }

  long ownerPid(int slot) {
    return table.get(LONG, at(slot, OWNER_PID_AT));
  }

  long ownerStartMillis(int slot) {
    return table.get(LONG, at(slot, OWNER_START_AT));
  }

  boolean nodeWrites(int slot) {
    return (table.get(INT, at(slot, FLAGS_AT)) & FLAG_NODE_WRITES) != 0;
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
