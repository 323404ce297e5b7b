package io.kvasir.placement;

import java.util.List;
import java.util.function.IntFunction;

/**
 * The block hashes of vLLM with {@code --prefix-caching-hash-algo sha256_cbor} ({@code
 * kv_cache_utils.py}): {@code hash_i = SHA-256(CBOR([hash_{i-1}, [token ids], extra keys or
 * null]))}, where {@code hash_{-1}} is the none hash. CBOR is canonical (RFC 8949). vLLM's other
 * algorithms cannot be computed outside its process: {@code sha256} hashes a Python pickle.
 *
 * <p>Extra keys stand in the order LoRA name, multi-modal items, cache salt (first block only); see
 * {@link VllmExtraKey}.
 *
 * <p>Stateless and thread-safe.
 */
public final class VllmBlockHashes {
  /** What vLLM hashes when {@code PYTHONHASHSEED} is not set. */
  public static final String DEFAULT_SEED = "vllm-none-hash";

  private static final int HASH_BYTES = Sha256.HASH_BYTES;

  private VllmBlockHashes() {}

  /**
   * The hash that stands before the first block: {@code SHA-256(CBOR(seed))}.
   *
   * @param seed the engine's {@code PYTHONHASHSEED}, else {@link #DEFAULT_SEED}
   * @return 32 bytes
   */
  public static byte[] noneHash(String seed) {
    byte[] hash = new byte[HASH_BYTES];
    new Cbor().text(seed).hash(hash, 0);
    return hash;
  }

  /**
   * Hashes the full blocks of a prompt; a partial last block is left out.
   *
   * @param parent the none hash, or the hash of the block before {@code tokens[0]}; 32 bytes
   * @param tokens token ids, none negative, at most 2^25
   * @param blockTokens tokens of a block, at least 1
   * @param extraKeys the extra keys of each block, by its number in {@code tokens}; may be empty
   * @return 32 bytes for each full block, in order
   * @throws IllegalArgumentException if the parent, a token, their number, the block length or a
   *     text is out of range
   */
  public static byte[] blockHashes(
      byte[] parent, int[] tokens, int blockTokens, IntFunction<List<VllmExtraKey>> extraKeys) {
    if (parent.length != HASH_BYTES) {
      throw new IllegalArgumentException(
          "KVA-0808 blocks not hashed - parentBytes="
              + parent.length
              + " (limit="
              + HASH_BYTES
              + "); give the none hash or the hash of the block before");
    }
    HashChain.requireTokens(tokens);
    HashChain.requireRun(blockTokens);
    int blocks = tokens.length / blockTokens;
    byte[] hashes = new byte[blocks * HASH_BYTES];
    Cbor cbor = new Cbor();
    for (int block = 0; block < blocks; block++) {
      cbor.clear().array(3);
      if (block == 0) {
        cbor.bytes(parent, 0, HASH_BYTES);
      } else {
        cbor.bytes(hashes, (block - 1) * HASH_BYTES, HASH_BYTES);
      }
      cbor.array(blockTokens);
      for (int i = 0; i < blockTokens; i++) {
        cbor.integer(HashChain.requireToken(tokens, block * blockTokens + i));
      }
      write(cbor, extraKeys.apply(block));
      cbor.hash(hashes, block * HASH_BYTES);
    }
    return hashes;
  }

  private static void write(Cbor cbor, List<VllmExtraKey> extraKeys) {
    if (extraKeys.isEmpty()) {
      cbor.nil();
      return;
    }
    cbor.array(extraKeys.size());
    for (VllmExtraKey extraKey : extraKeys) {
      switch (extraKey) {
        case VllmExtraKey.Text(String value) -> cbor.text(value);
        case VllmExtraKey.Item(String identifier, long offsetTokens) ->
            cbor.array(2).text(identifier).integer(offsetTokens);
      }
    }
  }
}
