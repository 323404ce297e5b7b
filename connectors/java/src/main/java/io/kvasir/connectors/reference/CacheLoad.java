package io.kvasir.connectors.reference;

/**
 * The leading chunks of a prompt that were loaded and then confirmed by RELEASE.
 *
 * @param localChunks chunks that lay in the slab of the own node
 * @param peerChunks chunks that the node pulled from peers
 * @param peerBytes their bytes
 */
record CacheLoad(int localChunks, int peerChunks, long peerBytes) {
  static final CacheLoad MISS = new CacheLoad(0, 0, 0);

  int chunks() {
    return localChunks + peerChunks;
  }
}
