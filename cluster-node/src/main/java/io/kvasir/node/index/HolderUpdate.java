package io.kvasir.node.index;

import java.util.Arrays;
import javax.cache.processor.EntryProcessor;
import javax.cache.processor.MutableEntry;
import org.apache.ignite.binary.BinaryObjectException;
import org.apache.ignite.binary.BinaryReader;
import org.apache.ignite.binary.BinaryWriter;
import org.apache.ignite.binary.Binarylizable;
import org.jspecify.annotations.Nullable;

/**
 * Adds one holder to an index entry or removes one. Runs on the entry's primary node, so that two
 * nodes which announce one chunk at once both stay. Doing it twice changes nothing, so a batch may
 * be repeated. One of the two classes of ours inside Ignite.
 *
 * <p>Written raw, without field names: u8 kind, i64 node id, i64 version, i32 length.
 */
final class HolderUpdate implements EntryProcessor<byte[], byte[], @Nullable Void>, Binarylizable {
  /** Removes the holder whatever version it was announced with. No chunk has this version. */
  static final long ANY_VERSION = 0;

  private static final byte ADD = 1;
  private static final byte REMOVE = 2;

  private byte kind;
  private long nodeId;
  private long version;
  private int lengthBytes;

  private HolderUpdate(
      final byte kind, final long nodeId, final long version, final int lengthBytes) {
    this.kind = kind;
    this.nodeId = nodeId;
    this.version = version;
    this.lengthBytes = lengthBytes;
  }

  /** For Ignite. */
  @SuppressWarnings("unused")
  HolderUpdate() {}

  static HolderUpdate add(final long nodeId, final long version, final int lengthBytes) {
    return new HolderUpdate(ADD, nodeId, version, lengthBytes);
  }

  static HolderUpdate remove(final long nodeId, final long version) {
    return new HolderUpdate(REMOVE, nodeId, version, 0);
  }

  @Override
  public @Nullable Void process(
      final MutableEntry<byte[], byte[]> entry, final Object... arguments) {
    final byte @Nullable [] before = entry.getValue();
    final byte @Nullable [] after = apply(before);
    if (after == null) {
      if (before != null) {
        entry.remove();
      }
    } else if (!Arrays.equals(before, after)) {
      entry.setValue(after);
    }
    return null;
  }

  private byte @Nullable [] apply(final byte @Nullable [] before) {
    if (kind == ADD) {
      return IndexEntry.with(before, lengthBytes, nodeId, version);
    }
    return before != null && IndexEntry.isValid(before)
        ? IndexEntry.without(before, nodeId, version)
        : null;
  }

  @Override
  public void writeBinary(final BinaryWriter writer) throws BinaryObjectException {
    final var raw = writer.rawWriter();
    raw.writeByte(kind);
    raw.writeLong(nodeId);
    raw.writeLong(version);
    raw.writeInt(lengthBytes);
  }

  @Override
  public void readBinary(final BinaryReader reader) throws BinaryObjectException {
    final var raw = reader.rawReader();
    kind = raw.readByte();
    nodeId = raw.readLong();
    version = raw.readLong();
    lengthBytes = raw.readInt();
  }
}
