package io.kvasir.placement;

/**
 * Native content hashes: 32 bytes that name the tokens of a chunk and all tokens before it.
 *
 * <p>{@code h_i = SHA-256(h_{i-1} ‖ tokens of chunk i as u32 little-endian)} with {@code h_{-1}} =
 * 32 zero bytes. Only full chunks have a hash. The chaining is a Merkle chain (Merkle 1979), as in
 * the prefix caches of vLLM and SGLang: equal hashes mean equal prefixes.
 *
 * <p>Stateless and thread-safe.
 */
public final class ContentHashes {
  /** Length of one hash. */
  public static final int HASH_BYTES = Sha256.HASH_BYTES;

  private ContentHashes() {}

  /**
   * Hashes the full chunks of a prompt; a partial last chunk is left out.
   *
   * @param tokens token ids from the start of the prompt, none negative, at most 2^25
   * @param chunkTokens tokens of a chunk, at least 1
   * @return 32 bytes for each full chunk, in order
   * @throws IllegalArgumentException if a token, their number or the chunk length is out of range
   */
  public static byte[] chunkHashes(int[] tokens, int chunkTokens) {
    return HashChain.hash(tokens, chunkTokens, HASH_BYTES);
  }

  /**
   * The hashes of chunks that consist of several engine blocks: a chunk takes the hash of its last
   * block, which covers all before it. Blocks of a partial last chunk are left out.
   *
   * @param blockHashes 32 bytes for each block, in order
   * @param blocksPerChunk at least 1
   * @return 32 bytes for each full chunk, in order
   * @throws IllegalArgumentException if the array holds a part of a hash or {@code blocksPerChunk}
   *     is out of range
   */
  public static byte[] ofBlocks(byte[] blockHashes, int blocksPerChunk) {
    if (blockHashes.length % HASH_BYTES != 0 || blocksPerChunk < 1) {
      throw new IllegalArgumentException(
          "KVA-0806 block hashes not joined - bytes="
              + blockHashes.length
              + " blocksPerChunk="
              + blocksPerChunk
              + " (limit=1); give whole 32-byte hashes and at least one block per chunk");
    }
    int chunks = blockHashes.length / HASH_BYTES / blocksPerChunk;
    byte[] hashes = new byte[chunks * HASH_BYTES];
    for (int chunk = 0; chunk < chunks; chunk++) {
      int lastBlock = (chunk + 1) * blocksPerChunk - 1;
      System.arraycopy(blockHashes, lastBlock * HASH_BYTES, hashes, chunk * HASH_BYTES, HASH_BYTES);
    }
    return hashes;
  }
}
