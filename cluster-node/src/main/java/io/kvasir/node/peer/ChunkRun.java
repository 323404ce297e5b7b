package io.kvasir.node.peer;

import io.kvasir.placement.ChunkKey;
import io.kvasir.placement.Groups;

/** Consecutive chunks of one prompt: their keys and the groups they belong to. Immutable. */
public final class ChunkRun {
  /**
   * A node looks at no more chunks of one request, so that no request keeps the others waiting; at
   * 16 tokens per chunk this is a prompt of 262,144 tokens. What lies behind counts as not there.
   */
  public static final int CHUNKS_MAX = 16_384;

  private final Space space;
  private final ChunkKey[] keys;
  private final long[] groups;

  private ChunkRun(final Space space, final ChunkKey[] keys, final long[] groups) {
    this.space = space;
    this.keys = keys;
    this.groups = groups;
  }

  /**
   * Derives the keys.
   *
   * @param firstPosition index within the prompt of the first chunk
   * @param bytes holds the hashes
   * @param anchorOffset where the content hash of the first chunk's group begins
   * @param hashesOffset where {@code count} content hashes begin
   * @throws IllegalArgumentException if the first chunk begins a group and the anchor is another
   *     chunk
   */
  public static ChunkRun derive(
      final Space space,
      final int firstPosition,
      final byte[] bytes,
      final int anchorOffset,
      final int hashesOffset,
      final int count) {
    final int length = Math.min(count, CHUNKS_MAX);
    final ChunkKey[] keys = new ChunkKey[length];
    final long[] groups = new long[length];
    final ChunkKey anchor = ChunkKey.derive(space.fingerprint(), bytes, anchorOffset);
    long group = Groups.groupId(anchor);
    for (int i = 0; i < length; i++) {
      keys[i] = ChunkKey.derive(space.fingerprint(), bytes, hashesOffset + i * ChunkKey.BYTES);
      if (Groups.startsGroup(firstPosition + i, space.chunkTokens())) {
        if (i == 0 && !anchor.equals(keys[0])) {
          throw new IllegalArgumentException(
              "the first chunk begins a group, so the anchor must be its hash - firstPosition="
                  + firstPosition);
        }
        group = Groups.groupId(keys[i]);
      }
      groups[i] = group;
    }
    return new ChunkRun(space, keys, groups);
  }

  /** The run of one of these chunks. */
  ChunkRun only(final int index) {
    return new ChunkRun(space, new ChunkKey[] {keys[index]}, new long[] {groups[index]});
  }

  public Space space() {
    return space;
  }

  /** Number of chunks. */
  public int length() {
    return keys.length;
  }

  public ChunkKey key(final int index) {
    return keys[index];
  }

  public long group(final int index) {
    return groups[index];
  }
}
