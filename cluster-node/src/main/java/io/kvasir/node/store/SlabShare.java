package io.kvasir.node.store;

import java.nio.file.Path;
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

  /** Whether a node with the other slab may be of the same host and trust domain. */
  public boolean isBeside(UUID otherBootId, int otherUid) {
    return bootId.equals(otherBootId) && uid == otherUid;
  }
}
