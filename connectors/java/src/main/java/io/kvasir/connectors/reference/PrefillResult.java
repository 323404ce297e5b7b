package io.kvasir.connectors.reference;

/**
 * What one prefill gave: the logits after the last token, where the KV of the tokens came from, and
 * how long it took. Token counts add up to {@code promptTokens}. Immutable but for the array, which
 * the caller owns.
 */
public final class PrefillResult {
  private final float[] logits;
  private final int promptTokens;
  private final CacheLoad load;
  private final int chunkTokens;
  private final long ttftNs;
  private final long loadNs;

  PrefillResult(
      float[] logits, int promptTokens, CacheLoad load, int chunkTokens, long ttftNs, long loadNs) {
    this.logits = logits;
    this.promptTokens = promptTokens;
    this.load = load;
    this.chunkTokens = chunkTokens;
    this.ttftNs = ttftNs;
    this.loadNs = loadNs;
  }

  /** One number per row of the vocabulary. */
  public float[] logits() {
    return logits;
  }

  public int promptTokens() {
    return promptTokens;
  }

  /** Tokens whose KV lay in the slab of the own node. */
  public int localTokens() {
    return load.localChunks() * chunkTokens;
  }

  /** Tokens whose KV the node pulled from a peer. */
  public int peerTokens() {
    return load.peerChunks() * chunkTokens;
  }

  /** Tokens computed here, at least one. */
  public int computedTokens() {
    return promptTokens - localTokens() - peerTokens();
  }

  /** Bytes of KV that came from peers. */
  public long peerBytes() {
    return load.peerBytes();
  }

  /** From token ids to logits: hashing, lookup, load and computation. */
  public long ttftNs() {
    return ttftNs;
  }

  /** The part of {@link #ttftNs()} spent with the cache. */
  public long loadNs() {
    return loadNs;
  }
}
