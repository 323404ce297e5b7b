package io.kvasir.connectors.client;

import io.kvasir.placement.Namespace;

/**
 * What an engine registers. Immutable.
 *
 * @param namespace the identity that all chunks of the space share
 * @param chunkTokens tokens per chunk
 * @param chunkBytes bytes per chunk
 */
public record SpaceRequest(Namespace namespace, int chunkTokens, int chunkBytes) {
  /** Checks the sizes. */
  public SpaceRequest {
    if (chunkTokens < 1 || chunkBytes < 1) {
      throw new IllegalArgumentException(
          "chunkTokens=" + chunkTokens + " chunkBytes=" + chunkBytes);
    }
  }
}
