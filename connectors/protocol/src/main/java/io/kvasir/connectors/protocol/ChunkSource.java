package io.kvasir.connectors.protocol;

/** Where a READY chunk came from. */
public enum ChunkSource {
  /** It was in this node's slab. */
  LOCAL(0),
  /** It was pulled from another node. */
  PEER(1);

  /** In the order of their codes, which start at 0. */
  private static final ChunkSource[] VALUES = values();

  static final int COUNT = VALUES.length;

  private final int code;

  ChunkSource(int code) {
    this.code = code;
  }

  static ChunkSource of(int code) {
    return VALUES[code];
  }

  /** The code on the wire. */
  public int code() {
    return code;
  }
}
