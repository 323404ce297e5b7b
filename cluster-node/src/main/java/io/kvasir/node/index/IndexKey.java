package io.kvasir.node.index;

import io.kvasir.placement.ChunkKey;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Cache key. Layout, 40 bytes: u64 group, big-endian; 32 bytes chunk key. The group comes first
 * because the partition is taken from it, so one lookup of a prompt stretch asks one node.
 */
record IndexKey(long group, ChunkKey key) {
  static final int BYTES = 40;
  private static final int KEY_OFFSET = 8;
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  byte[] toBytes() {
    final byte[] bytes = new byte[BYTES];
    write(bytes, 0);
    return bytes;
  }

  void write(final byte[] to, final int at) {
    LONG.set(to, at, group);
    key.toBytes(to, at + KEY_OFFSET);
  }

  static IndexKey fromBytes(final byte[] bytes) {
    return new IndexKey(groupOf(bytes), ChunkKey.fromBytes(bytes, KEY_OFFSET));
  }

  static long groupOf(final byte[] bytes) {
    return (long) LONG.get(bytes, 0);
  }
}
