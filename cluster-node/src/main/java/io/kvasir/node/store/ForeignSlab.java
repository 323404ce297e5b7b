package io.kvasir.node.store;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32C;

/**
 * The slab of another node of this host, mapped to read from. Nothing that the other node says is
 * believed: its files must be regular ones of this user that nobody else may open, of the announced
 * sizes, and their header must be that of the announced slab and incarnation, with the nonce that
 * this node chose in the announced cell. The names of the files are ours; only their folder is the
 * other's word.
 *
 * <p>While {@link #isValid} holds, the owner runs in the incarnation that it announced and has not
 * given up the cell; what it pinned for this node before that is in place.
 *
 * <p>Thread-safe, but for {@link #close}, after which nothing may be called.
 */
public final class ForeignSlab implements AutoCloseable {
  /** Copied bytes are still in the processor's cache when their checksum is taken. */
  private static final int BLOCK_BYTES = 128 << 10;

  private static final int SEGMENTS_MAX = 1 << 14;
  private static final int OTHERS_MAY = 0077;
  private static final int OTHERS_MAY_WRITE = 0022;

  private final Arena arena = Arena.ofShared();
  private final SlabShare share;
  private final int cell;
  private final MemorySegment header;
  private final MemorySegment[] segments;
  private final long nonce;
  private final long proof;

  private ForeignSlab(SlabShare own, SlabShare announced, int cell, long nonce) throws IOException {
    this.share = announced;
    this.cell = cell;
    this.nonce = nonce;
    try {
      checkDirectory(own.uid());
      this.header =
          map(announced.directory().resolve(SlotTable.FILE_NAME), own.uid(), 0).asReadOnly();
      checkHeader();
      this.segments = new MemorySegment[segmentCount()];
      for (int i = 0; i < segments.length; i++) {
        segments[i] =
            map(
                Slab.segmentPath(announced.directory(), announced.slabId(), i),
                own.uid(),
                segmentBytes(i));
      }
      this.proof = SlotTable.foreignCell(header, cell, 1);
      if (!isValid()) {
        throw new IOException("the nonce is not in the cell");
      }
    } catch (IOException | RuntimeException | InternalError e) {
      arena.close();
      throw e;
    }
  }

  /**
   * Maps the slab.
   *
   * @param own this node's slab
   * @param announced what the other node says of its slab
   * @param cell where the other node says it put {@code nonce}
   * @param nonce what this node asked the other one to put there, not 0
   * @throws IOException with the reason, if anything is not as announced
   */
  public static ForeignSlab open(SlabShare own, SlabShare announced, int cell, long nonce)
      throws IOException {
    if (!own.isBeside(announced.bootId(), announced.uid())
        || own.directory().equals(announced.directory())) {
      throw new IOException("another host, another user or this very slab");
    }
    boolean isSane =
        announced.directory().isAbsolute()
            && announced.directory().normalize().equals(announced.directory())
            && isMultiple(announced.slabBytes(), Long.MAX_VALUE)
            && isMultiple(announced.segmentBytes(), StoreConfig.SEGMENT_BYTES_MAX)
            && announced.slabBytes() / announced.segmentBytes() < SEGMENTS_MAX
            && cell >= 0
            && cell < SlotTable.CELLS
            && nonce != 0;
    if (!isSane) {
      throw new IOException("no description of a slab");
    }
    return new ForeignSlab(own, announced, cell, nonce);
  }

  private static boolean isMultiple(long bytes, long bytesMax) {
    return bytes > 0 && bytes <= bytesMax && bytes % ExtentAllocator.GRANULE_BYTES == 0;
  }

  private int segmentCount() {
    return (int) Math.ceilDiv(share.slabBytes(), share.segmentBytes());
  }

  private long segmentBytes(int segment) {
    return Math.min(share.segmentBytes(), share.slabBytes() - segment * share.segmentBytes());
  }

  private void checkDirectory(int uid) throws IOException {
    Map<String, Object> found = attributes(share.directory());
    if (!Boolean.TRUE.equals(found.get("isDirectory"))
        || !Integer.valueOf(uid).equals(found.get("uid"))
        || hasMode(found, OTHERS_MAY_WRITE)) {
      throw new IOException("not a folder of this user alone: " + share.directory());
    }
  }

  /**
   * Maps a file of this user alone.
   *
   * @param bytes the length that the file must have; 0: the slot table, of which only the header is
   *     of interest
   */
  private MemorySegment map(Path file, int uid, long bytes) throws IOException {
    Map<String, Object> found = attributes(file);
    if (!Boolean.TRUE.equals(found.get("isRegularFile"))
        || !Integer.valueOf(uid).equals(found.get("uid"))
        || hasMode(found, OTHERS_MAY)) {
      throw new IOException("not a file of this user alone: " + file);
    }
    try (FileChannel channel =
        FileChannel.open(file, Set.of(StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS))) {
      if (bytes == 0 ? channel.size() < SlotTable.HEADER_BYTES : channel.size() != bytes) {
        throw new IOException("of another size: " + file);
      }
      return channel.map(
          FileChannel.MapMode.READ_ONLY, 0, bytes == 0 ? SlotTable.HEADER_BYTES : bytes, arena);
    }
  }

  private static Map<String, Object> attributes(Path path) throws IOException {
    return Files.readAttributes(
        path, "unix:isRegularFile,isDirectory,uid,mode", LinkOption.NOFOLLOW_LINKS);
  }

  private static boolean hasMode(Map<String, Object> attributes, int bits) {
    return !(attributes.get("mode") instanceof final Integer mode) || (mode & bits) != 0;
  }

  private void checkHeader() throws IOException {
    SlotTable.Identity found = SlotTable.foreignIdentity(header);
    if (found == null
        || !found.bootId().equals(share.bootId())
        || found.slabId() != share.slabId()
        || found.slabBytes() != share.slabBytes()
        || found.segmentBytes() != share.segmentBytes()) {
      throw new IOException("the slot table is of another slab: " + share.directory());
    }
    if (SlotTable.foreignIncarnation(header) != share.incarnation()) {
      throw new IOException("of another incarnation: " + share.directory());
    }
  }

  /** What the owner wrote beside the nonce: whoever knows it sees this memory. */
  public long proof() {
    return proof;
  }

  /** Whether the owner is still of the announced incarnation and has not given up the cell. */
  public boolean isValid() {
    VarHandle.acquireFence(); // bytes that were copied before are of before
    return SlotTable.foreignCell(header, cell, 0) == nonce
        && SlotTable.foreignCell(header, cell, 1) == proof
        && SlotTable.foreignIncarnation(header) == share.incarnation();
  }

  /** Whether there can be a chunk at this place. */
  public boolean contains(long slabOffset, int lengthBytes) {
    return slabOffset >= 0
        && lengthBytes > 0
        && slabOffset <= share.slabBytes() - lengthBytes
        && slabOffset % share.segmentBytes() <= share.segmentBytes() - lengthBytes;
  }

  /**
   * Copies a chunk and takes the checksum of the copy, block by block.
   *
   * @param slabOffset with {@code lengthBytes} a place that {@link #contains} knows
   * @param target as long as the chunk
   * @return CRC-32C of what is in {@code target} now
   * @throws InternalError if the memory behind the files is gone
   */
  public int copy(long slabOffset, int lengthBytes, MemorySegment target) {
    MemorySegment source = segments[(int) (slabOffset / share.segmentBytes())];
    long from = slabOffset % share.segmentBytes();
    ByteBuffer copied = target.asByteBuffer();
    CRC32C crc = new CRC32C();
    for (int at = 0; at < lengthBytes; at += BLOCK_BYTES) {
      int length = Math.min(BLOCK_BYTES, lengthBytes - at);
      MemorySegment.copy(source, from + at, target, at, length);
      copied.limit(at + length);
      crc.update(copied);
    }
    return (int) crc.getValue();
  }

  /** Unmaps; idempotent. Nobody may copy any more. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
