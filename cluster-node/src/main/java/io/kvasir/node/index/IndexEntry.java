package io.kvasir.node.index;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Cache value and its merges. Layout, little-endian: u8 format = 1; u8 holder count 1..16; u16 0;
 * u32 length of the chunk in bytes; count × (u64 node id, u64 version), newest last. Arrays are
 * never changed in place: Ignite may share them.
 */
final class IndexEntry {
  static final int HOLDERS_MAX = 16;
  private static final byte FORMAT = 1;
  private static final int COUNT_OFFSET = 1;
  private static final int LENGTH_OFFSET = 4;
  private static final int HEADER_BYTES = 8;
  private static final int HOLDER_BYTES = 16;
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private IndexEntry() {}

  /**
   * False for what another format or a damaged sender may have left: such a value counts as absent
   * and is overwritten by the next announcement.
   */
  static boolean isValid(final byte[] entry) {
    if (entry.length < HEADER_BYTES + HOLDER_BYTES || entry[0] != FORMAT) {
      return false;
    }
    final int count = count(entry);
    return count >= 1
        && count <= HOLDERS_MAX
        && entry.length == HEADER_BYTES + count * HOLDER_BYTES
        && lengthBytes(entry) > 0;
  }

  static int count(final byte[] entry) {
    return entry[COUNT_OFFSET] & 0xFF;
  }

  static int lengthBytes(final byte[] entry) {
    return (int) INT.get(entry, LENGTH_OFFSET);
  }

  static long nodeId(final byte[] entry, final int holder) {
    return (long) LONG.get(entry, HEADER_BYTES + holder * HOLDER_BYTES);
  }

  static long version(final byte[] entry, final int holder) {
    return (long) LONG.get(entry, HEADER_BYTES + holder * HOLDER_BYTES + Long.BYTES);
  }

  // Adds the holder, or moves it to the end with its new version. A 17th holder drops the oldest. A
  // different length starts the entry over: under one key all chunks have one length, so the old
  // entry is wrong.
  static byte[] with(
      final byte @Nullable [] entry, final int lengthBytes, final long nodeId, final long version) {
    final byte[] rest =
        entry != null && isValid(entry) && lengthBytes(entry) == lengthBytes
            ? without(entry, nodeId, HolderUpdate.ANY_VERSION)
            : null;
    final int kept = rest == null ? 0 : Math.min(count(rest), HOLDERS_MAX - 1);
    final byte[] merged = new byte[HEADER_BYTES + (kept + 1) * HOLDER_BYTES];
    if (rest != null) {
      System.arraycopy(
          rest, rest.length - kept * HOLDER_BYTES, merged, HEADER_BYTES, kept * HOLDER_BYTES);
    }
    writeHeader(merged, kept + 1, lengthBytes);
    final int at = HEADER_BYTES + kept * HOLDER_BYTES;
    LONG.set(merged, at, nodeId);
    LONG.set(merged, at + Long.BYTES, version);
    return merged;
  }

  // Removes the holder if its version is this one. Returns the entry itself if nothing was to be
  // removed, null if no holder is left
  static byte @Nullable [] without(final byte[] entry, final long nodeId, final long version) {
    final int count = count(entry);
    for (int i = 0; i < count; i++) {
      if (nodeId(entry, i) == nodeId
          && (version == HolderUpdate.ANY_VERSION || version(entry, i) == version)) {
        return count == 1 ? null : withoutHolder(entry, i);
      }
    }
    return entry;
  }

  private static byte[] withoutHolder(final byte[] entry, final int holder) {
    final byte[] shorter = Arrays.copyOf(entry, entry.length - HOLDER_BYTES);
    final int at = HEADER_BYTES + holder * HOLDER_BYTES;
    System.arraycopy(entry, at + HOLDER_BYTES, shorter, at, shorter.length - at);
    shorter[COUNT_OFFSET] = (byte) (count(entry) - 1);
    return shorter;
  }

  private static void writeHeader(final byte[] entry, final int count, final int lengthBytes) {
    entry[0] = FORMAT;
    entry[COUNT_OFFSET] = (byte) count;
    INT.set(entry, LENGTH_OFFSET, lengthBytes);
  }
}
