package io.kvasir.node.peer;

import io.kvasir.placement.Fingerprint;

/**
 * A namespace as this node knows it.
 *
 * @param id number of the namespace on this node, stable over restarts
 * @param fingerprint names the namespace in the whole cluster
 * @param chunkTokens tokens per chunk
 * @param chunkBytes bytes per chunk
 * @param epoch chunks of an older epoch are invalid
 */
public record Space(int id, Fingerprint fingerprint, int chunkTokens, int chunkBytes, int epoch) {
  /** Names the namespace to peers, which check it by the chunk keys in the end. */
  int tag() {
    return tag(fingerprint);
  }

  static int tag(final Fingerprint fingerprint) {
    return (int) (fingerprint.w0() >>> 32);
  }
}
