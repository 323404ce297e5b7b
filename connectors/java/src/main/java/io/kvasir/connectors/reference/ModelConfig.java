package io.kvasir.connectors.reference;

import java.util.ArrayList;
import java.util.List;

/**
 * Sizes of a Llama-style decoder. Everything here changes the bytes in the KV cache, so everything
 * here is part of the namespace that the engine registers.
 *
 * @param vocabulary rows of the embedding and of the output head; token ids are hashed into them
 * @param layers decoder layers
 * @param hidden width of the residual stream
 * @param heads query heads
 * @param kvHeads key and value heads; each serves {@code heads / kvHeads} query heads
 * @param headSize numbers per head
 * @param feedForward inner width of the SwiGLU block
 * @param chunkTokens tokens per KV page; a page is a chunk
 * @param tokensMax longest prompt
 * @param seed seed of the random weights
 */
public record ModelConfig(
    int vocabulary,
    int layers,
    int hidden,
    int heads,
    int kvHeads,
    int headSize,
    int feedForward,
    int chunkTokens,
    int tokensMax,
    long seed) {

  /** Base of the rotary position frequencies. */
  static final double ROPE_BASE = 10_000.0;

  /** Inner loops take inputs in fours and outputs in pairs. */
  private static final int UNIT = 4;

  private static final int SIZE_MAX = 1 << 20;

  public ModelConfig {
    final List<String> problems = new ArrayList<>();
    requireUnits(problems, "vocabulary", vocabulary);
    requireUnits(problems, "hidden", hidden);
    requireUnits(problems, "headSize", headSize);
    requireUnits(problems, "feedForward", feedForward);
    requireUnits(problems, "chunkTokens", chunkTokens);
    requireUnits(problems, "tokensMax", tokensMax);
    if (layers < 1 || layers > 1_024) {
      problems.add("layers=" + layers + " (limit=1..1024)");
    }
    if (kvHeads < 1 || heads < kvHeads || heads % kvHeads != 0 || heads > 1_024) {
      problems.add("heads=" + heads + " kvHeads=" + kvHeads + " (heads must be a multiple)");
    }
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          "KVA-0540 model config rejected - " + String.join("; ", problems) + "; correct them");
    }
  }

  /**
   * The sizes that the quickstart uses: about half a second of prefill for 2,000 tokens on one
   * core, 1 KiB of KV per token, chunks of 64 tokens.
   */
  public static ModelConfig small() {
    return new ModelConfig(4_096, 2, 192, 4, 2, 32, 512, 64, 4_096, 0x4b56_4153_4952L);
  }

  private static void requireUnits(List<String> problems, String name, int value) {
    if (value < UNIT || value % UNIT != 0 || value > SIZE_MAX) {
      problems.add(name + "=" + value + " (limit=" + UNIT + ".." + SIZE_MAX + ", multiple of 4)");
    }
  }

  /** Width of the keys, and of the values, of one token in one layer. */
  int kvWidth() {
    return kvHeads * headSize;
  }

  /** Width of the queries of one token. */
  int queryWidth() {
    return heads * headSize;
  }

  /** Floats in a page: for each layer the keys, then the values, each [token][kvWidth]. */
  int pageFloats() {
    return Math.multiplyExact(layers * 2, Math.multiplyExact(chunkTokens, kvWidth()));
  }

  /** Bytes of a page, and so of a chunk. */
  public int chunkBytes() {
    return Math.multiplyExact(pageFloats(), Float.BYTES);
  }
}
