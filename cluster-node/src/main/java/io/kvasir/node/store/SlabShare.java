package io.kvasir.node.store;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.UUID;

/**
 * A node's slab as it describes it to a node of the same host.
 *
 * @param uid the user that owns the files
 * @param bootId of the host: without an equal one the other node runs elsewhere
 * @param slabId in the names of the segment files
 * @param incarnation of the store that owns the slab
 * @param directory absolute and normalised
 */
public record SlabShare(
    int uid,
    UUID bootId,
    long slabId,
    long slabBytes,
    long segmentBytes,
    long incarnation,
    Path directory) {
  /** How many nodes can be given a cell at a time. */
  public static final int CELLS = SlotTable.CELLS;

  /**
   * Says to nodes of the same host alone that this one runs there: the first 16 bytes of the
   * SHA-256 of boot id, nonce and the speaker's node id. Whoever does not know the boot id learns
   * nothing from it and cannot say it for another node.
   */
  public UUID hostProof(long nonce, long nodeId) {
    ByteBuffer text =
        ByteBuffer.allocate(4 * Long.BYTES)
            .putLong(bootId.getMostSignificantBits())
            .putLong(bootId.getLeastSignificantBits())
            .putLong(nonce)
            .putLong(nodeId);
    try {
      ByteBuffer digest =
          ByteBuffer.wrap(MessageDigest.getInstance("SHA-256").digest(text.array()));
      return new UUID(digest.getLong(), digest.getLong());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /** Whether a node with the other slab may be of the same host and trust domain. */
  public boolean isBeside(UUID otherBootId, int otherUid) {
    return bootId.equals(otherBootId) && uid == otherUid;
  }
}
