package io.kvasir.placement;

/**
 * The page hashes of SGLang's HiCache ({@code hicache_storage.py}): {@code SHA-256(prior digest ‖
 * tokens of the page as u32 little-endian)}, where the first page has no prior digest. They cover
 * neither cache salt nor LoRA; the {@link Namespace} does.
 *
 * <p>Stateless and thread-safe.
 */
public final class SglangPageHashes {
  private SglangPageHashes() {}

  /**
   * Hashes the full pages of a prompt; a partial last page is left out.
   *
   * @param tokens token ids from the start of the prompt, none negative, at most 2^25
   * @param pageTokens tokens of a page, at least 1
   * @return 32 bytes for each full page, in order
   * @throws IllegalArgumentException if a token, their number or the page length is out of range
   */
  public static byte[] pageHashes(int[] tokens, int pageTokens) {
    return HashChain.hash(tokens, pageTokens, 0);
  }
}
