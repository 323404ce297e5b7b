package io.kvasir.placement;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Chained SHA-256 over runs of tokens: {@code h_i = SHA-256(h_{i-1} ‖ tokens as u32
 * little-endian)}. The native hashes and SGLang's differ only in what stands before the first run.
 */
final class HashChain {
  /** Longest prompt: its hashes still fit one array. */
  static final int TOKENS_MAX = 1 << 25;

  private static final VarHandle LITTLE_ENDIAN_INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

  private HashChain() {}

  /**
   * Hashes the full runs of {@code tokens}.
   *
   * @param rootBytes zero bytes that stand before the first run: 0 or 32
   * @return 32 bytes for each full run
   */
  static byte[] hash(int[] tokens, int runTokens, int rootBytes) {
    requireTokens(tokens);
    requireRun(runTokens);
    int runs = tokens.length / runTokens;
    byte[] hashes = new byte[runs * Sha256.HASH_BYTES];
    if (runs == 0) {
      return hashes;
    }
    byte[] input = new byte[Sha256.HASH_BYTES + runTokens * Integer.BYTES];
    Sha256 sha256 = Sha256.ofThisThread();
    for (int run = 0; run < runs; run++) {
      int priorBytes = run == 0 ? rootBytes : Sha256.HASH_BYTES;
      if (run > 0) {
        System.arraycopy(hashes, (run - 1) * Sha256.HASH_BYTES, input, 0, Sha256.HASH_BYTES);
      }
      for (int i = 0; i < runTokens; i++) {
        LITTLE_ENDIAN_INT.set(
            input, priorBytes + i * Integer.BYTES, requireToken(tokens, run * runTokens + i));
      }
      sha256.hash(
          input, 0, priorBytes + runTokens * Integer.BYTES, hashes, run * Sha256.HASH_BYTES);
    }
    return hashes;
  }

  static void requireTokens(int[] tokens) {
    if (tokens.length > TOKENS_MAX) {
      throw new IllegalArgumentException(
          "KVA-0803 prompt not hashed - tokens="
              + tokens.length
              + " (limit="
              + TOKENS_MAX
              + "); shorten the prompt");
    }
  }

  static void requireRun(int runTokens) {
    if (runTokens < 1) {
      throw new IllegalArgumentException(
          "KVA-0804 prompt not hashed - runTokens="
              + runTokens
              + " (limit=1); give the tokens of a chunk, block or page");
    }
  }

  static int requireToken(int[] tokens, int position) {
    int token = tokens[position];
    if (token < 0) {
      throw new IllegalArgumentException(
          "KVA-0805 prompt not hashed - token="
              + token
              + " position="
              + position
              + " (limit=0); token ids are not negative");
    }
    return token;
  }
}
