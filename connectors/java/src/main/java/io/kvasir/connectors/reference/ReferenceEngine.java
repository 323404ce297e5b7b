package io.kvasir.connectors.reference;

import io.kvasir.placement.ContentHashes;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * An inference engine small enough for any machine: a real decoder ({@link ModelConfig} gives its
 * sizes) with <b>random weights</b>, a paged KV cache, and Kvasir as the cache behind it. Its
 * logits mean nothing as language; they exist so that tests and the quickstart can prove that KV
 * which came through the cache gives the same bits as KV computed here.
 *
 * <p>A prompt loads the chunks that exist somewhere and come sooner than they are computed,
 * computes the rest, at least its last token, and afterwards stores the chunks that were new.
 * Nothing is kept from one prompt to the next: what is reused came through the cache. A cache that
 * fails is a miss, never an exception.
 *
 * <p>Not thread-safe.
 */
public final class ReferenceEngine implements AutoCloseable {
  private final ModelConfig config;
  private final ReferenceModel model;
  private final KvPool.Sequence kv;
  private final @Nullable CacheLink cache;
  private final PrefillRate rate = new PrefillRate();
  private byte[] hashes = new byte[0];
  private int loadedChunks;

  private ReferenceEngine(ModelConfig config, @Nullable CacheLink cache) {
    this.config = config;
    this.cache = cache;
    model = new ReferenceModel(config);
    kv = KvPool.forOnePrompt(config).open();
  }

  /** An engine that computes everything. */
  public static ReferenceEngine withoutCache(ModelConfig config) {
    return new ReferenceEngine(config, null);
  }

  /**
   * An engine that uses the node behind {@code socket}, from the moment the node is there and as
   * long as it is.
   */
  public static ReferenceEngine withCache(ModelConfig config, Path socket) {
    return new ReferenceEngine(config, new CacheLink(config, socket));
  }

  /**
   * Computes the logits after the last token.
   *
   * @param tokens token ids of any tokeniser, not negative; 1 to {@link ModelConfig#tokensMax()}
   * @param load whether to load what the cache has; without a cache it has nothing
   */
  public PrefillResult prefill(int[] tokens, boolean load) {
    final long startNs = begin(tokens);
    CacheLoad loaded = CacheLoad.MISS;
    if (load && cache != null) {
      loaded = cache.load(hashes, reusableChunks(tokens), kv, rate);
    }
    return finish(tokens, loaded, startNs, (_, _) -> {});
  }

  /**
   * Computes all of a prompt and hands its full chunks to a decode node meanwhile, layer by layer.
   * The chunks are then in this node's cache as well.
   *
   * @param handoffId a random number that was never used before, not 0
   * @param decodeNode id of the node beside which {@link #decode} runs
   */
  public PrefillResult prefillFor(int[] tokens, long handoffId, long decodeNode) {
    final long startNs = begin(tokens);
    final ReferenceModel.Progress progress =
        cache == null
            ? (_, _) -> {}
            : cache.handOff(handoffId, decodeNode, hashes, reusableChunks(tokens), kv);
    return finish(tokens, CacheLoad.MISS, startNs, progress);
  }

  /**
   * Computes the logits after the last token from what {@link #prefillFor} hands to the node of
   * this engine; what does not come is computed.
   *
   * @param limit how long to wait for the chunks
   */
  public PrefillResult decode(int[] tokens, long handoffId, Duration limit) {
    final long startNs = begin(tokens);
    CacheLoad loaded = CacheLoad.MISS;
    if (cache != null) {
      loaded = cache.await(handoffId, hashes, reusableChunks(tokens), limit, kv);
    }
    return finish(tokens, loaded, startNs, (_, _) -> {});
  }

  /** The last token is always computed: its logits are the answer and are not in the cache. */
  private int reusableChunks(int[] tokens) {
    return (tokens.length - 1) / config.chunkTokens();
  }

  /** Checks the prompt and forgets the one before; answers when that was. */
  private long begin(int[] tokens) {
    if (tokens.length == 0 || tokens.length > config.tokensMax()) {
      throw new IllegalArgumentException(
          "KVA-0543 prompt refused - tokens="
              + tokens.length
              + " (limit=1.."
              + config.tokensMax()
              + "); send a prompt within the limit");
    }
    for (final int token : tokens) {
      if (token < 0) {
        throw new IllegalArgumentException(
            "KVA-0549 prompt refused - token=" + token + " (limit=0); send token ids");
      }
    }
    final long startNs = System.nanoTime();
    kv.clear();
    loadedChunks = 0;
    hashes = ContentHashes.chunkHashes(tokens, config.chunkTokens());
    return startNs;
  }

  private PrefillResult finish(
      int[] tokens, CacheLoad loaded, long startNs, ReferenceModel.Progress progress) {
    loadedChunks = loaded.chunks();
    final long loadedNs = System.nanoTime();
    final float[] logits = model.prefill(tokens, tokens.length, kv, progress);
    final long endNs = System.nanoTime();
    rate.computed(tokens.length - loadedChunks * config.chunkTokens(), endNs - loadedNs);
    return new PrefillResult(
        logits, tokens.length, loaded, config.chunkTokens(), endNs - startNs, loadedNs - startNs);
  }

  /**
   * Stores the full chunks of the last prompt that were computed here and that the node does not
   * have yet.
   *
   * @param awaitIndex whether to wait until the other nodes can find them
   * @return chunks stored
   */
  public int store(boolean awaitIndex) {
    final int chunks = hashes.length / ContentHashes.HASH_BYTES;
    if (cache == null || loadedChunks >= chunks) {
      return 0;
    }
    return cache.store(hashes, loadedChunks, chunks, kv, awaitIndex);
  }

  /** Counters of the engine's side of the cache. */
  public CacheCounters counters() {
    return cache == null ? CacheCounters.NONE : cache.counters();
  }

  /** The statistics of the node as it tells them, or null when it cannot be asked. */
  public @Nullable String nodeStats() {
    return cache == null ? null : cache.nodeStats();
  }

  /** Says goodbye to the node. */
  @Override
  public void close() {
    if (cache != null) {
      cache.close();
    }
    kv.close();
  }
}
