package io.kvasir.node.store;

import io.kvasir.placement.Fingerprint;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Numbers for namespace fingerprints, so that records carry 4 bytes instead of 32. A number is
 * never given to a second fingerprint while the slab lives.
 *
 * <p>File {@code namespaces.kv}, little-endian, replaced as a whole (written beside, synced,
 * renamed): {@code u64 magic, u64 slab id, u32 count, u32 crc32c of the rest, count x (u32 id, 32 B
 * fingerprint)}.
 */
final class NamespaceTable {
  static final String FILE_NAME = "namespaces.kv";
  static final int NAMESPACES_MAX = 4096;

  private static final long MAGIC = 0x0031_5350_5353_564bL; // "KVSSPS1" in file order
  private static final int HEADER_BYTES = 24;
  private static final int ENTRY_BYTES = 36;

  private final Path file;
  private final long slabId;
  private final Map<Fingerprint, Integer> ids = new HashMap<>();

  private NamespaceTable(Path file, long slabId) {
    this.file = file;
    this.slabId = slabId;
  }

  /** An empty table and its file. */
  static NamespaceTable create(Path directory, long slabId) throws IOException {
    NamespaceTable table = new NamespaceTable(directory.resolve(FILE_NAME), slabId);
    table.save();
    return table;
  }

  /** Reads the table of this slab, or answers null if it is missing, damaged or of another slab. */
  static @Nullable NamespaceTable open(Path directory, long slabId) throws IOException {
    NamespaceTable table = new NamespaceTable(directory.resolve(FILE_NAME), slabId);
    if (!Files.isRegularFile(table.file)
        || Files.size(table.file) > HEADER_BYTES + (long) NAMESPACES_MAX * ENTRY_BYTES) {
      return null;
    }
    byte[] content = Files.readAllBytes(table.file);
    return table.parse(content) ? table : null;
  }

  private boolean parse(byte[] content) {
    ByteBuffer in = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
    if (content.length < HEADER_BYTES || in.getLong() != MAGIC || in.getLong() != slabId) {
      return false;
    }
    int count = in.getInt();
    int crc = in.getInt();
    if (count < 0
        || content.length != HEADER_BYTES + (long) count * ENTRY_BYTES
        || crc != crcOf(content)) {
      return false;
    }
    for (int i = 0; i < count; i++) {
      int id = in.getInt();
      Fingerprint fingerprint =
          new Fingerprint(bigEndian(in), bigEndian(in), bigEndian(in), bigEndian(in));
      ids.put(fingerprint, id);
    }
    return true;
  }

  private static long bigEndian(ByteBuffer in) {
    return Long.reverseBytes(in.getLong());
  }

  private static int crcOf(byte[] content) {
    CRC32C crc = new CRC32C();
    crc.update(content, HEADER_BYTES, content.length - HEADER_BYTES);
    return (int) crc.getValue();
  }

  /**
   * The number of this fingerprint, 1 or more; a new one is on disk before this returns.
   *
   * @throws StoreException KVA-0206 if there are too many namespaces
   */
  int id(Fingerprint fingerprint) {
    Integer known = ids.get(fingerprint);
    if (known != null) {
      return known;
    }
    if (ids.size() >= NAMESPACES_MAX) {
      throw new StoreException(
          "KVA-0206 too many namespaces - namespaces="
              + ids.size()
              + " (limit="
              + NAMESPACES_MAX
              + "); clear the slab directory or use fewer tenants, models and layouts per node");
    }
    int id = ids.size() + 1;
    ids.put(fingerprint, id);
    try {
      save();
    } catch (IOException e) {
      ids.remove(fingerprint);
      throw new StoreException(
          "KVA-0207 namespace table cannot be written - file="
              + file
              + " cause="
              + e.getMessage()
              + "; free space there",
          e);
    }
    return id;
  }

  private void save() throws IOException {
    ByteBuffer out =
        ByteBuffer.allocate(HEADER_BYTES + ids.size() * ENTRY_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    out.putLong(MAGIC).putLong(slabId).putInt(ids.size()).putInt(0);
    ids.forEach(
        (fingerprint, id) ->
            out.putInt(id)
                .putLong(Long.reverseBytes(fingerprint.w0()))
                .putLong(Long.reverseBytes(fingerprint.w1()))
                .putLong(Long.reverseBytes(fingerprint.w2()))
                .putLong(Long.reverseBytes(fingerprint.w3())));
    out.putInt(HEADER_BYTES - 4, crcOf(out.array()));
    Path beside = file.resolveSibling(FILE_NAME + ".new");
    Files.deleteIfExists(beside);
    try (FileChannel channel =
        FileChannel.open(
            beside,
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            OwnerOnly.file())) {
      out.flip();
      while (out.hasRemaining()) {
        channel.write(out);
      }
      channel.force(true);
    }
    Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }
}
