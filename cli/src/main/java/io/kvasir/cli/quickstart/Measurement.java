package io.kvasir.cli.quickstart;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Arrays;

/**
 * One prompt, run with and without the cache.
 *
 * @param promptTokens its length
 * @param localTokens tokens reused from the slab of the engine's own node
 * @param peerTokens tokens reused from peers
 * @param computedTokens tokens computed in the run with the cache
 * @param peerBytes bytes of KV that crossed from node to node
 * @param cachedTtftMs time to first token with the cache, in milliseconds
 * @param loadMs the part of it spent with the cache: hashing, lookup, pull and copy
 * @param uncachedTtftMs time to first token without the cache, in milliseconds
 * @param logitsCompared logits of this prompt
 * @param logitsEqual of these, the ones with the same bits in both runs
 */
record Measurement(
    int promptTokens,
    int localTokens,
    int peerTokens,
    int computedTokens,
    long peerBytes,
    double cachedTtftMs,
    double loadMs,
    double uncachedTtftMs,
    int logitsCompared,
    int logitsEqual) {

  /** From the engine's answers to the two runs of one prompt. */
  static Measurement of(JsonNode cached, JsonNode uncached) throws IOException {
    final byte[] a = cached.path("logits").binaryValue();
    final byte[] b = uncached.path("logits").binaryValue();
    int equal = 0;
    for (int at = 0; at + Float.BYTES <= Math.min(a.length, b.length); at += Float.BYTES) {
      if (Arrays.equals(a, at, at + Float.BYTES, b, at, at + Float.BYTES)) {
        equal++;
      }
    }
    final JsonNode tokens = cached.path("tokens");
    return new Measurement(
        cached.path("promptTokens").asInt(),
        tokens.path("local").asInt(),
        tokens.path("peer").asInt(),
        tokens.path("computed").asInt(),
        cached.path("peerBytes").asLong(),
        cached.path("ttftMs").asDouble(),
        cached.path("loadMs").asDouble(),
        uncached.path("ttftMs").asDouble(),
        Math.max(a.length, b.length) / Float.BYTES,
        equal);
  }

  /** The share of the prompt that was found in the cache. */
  double foundShare() {
    return (double) (localTokens + peerTokens) / promptTokens;
  }
}
