package io.kvasir.connectors.reference;

import java.util.Arrays;

/**
 * A Llama-style decoder with random weights: token embedding, then per layer RMSNorm, grouped-query
 * attention with rotary positions, RMSNorm and SwiGLU, each added to the residual stream, at last
 * RMSNorm and the output head. float32 throughout. It computes what a real decoder computes, but
 * has learned nothing: its logits mean nothing, only their bits do.
 *
 * <p>Bit-exact: the logits of a prompt have the same bits however it is cut into calls of {@link
 * #prefill}, with keys and values computed here or copied from an earlier run, interpreted or
 * compiled (see {@link Lanes}).
 *
 * <p>Not thread-safe: activations are fields.
 */
final class ReferenceModel {
  /** Told while a prompt is computed. */
  interface Progress {
    /** Keys and values of the layer are there for all tokens before {@code to}. */
    void computed(int layer, int to);
  }

  /** Tokens computed side by side. More lanes run faster until the activations leave the cache. */
  static final int LANES = 128;

  private final ModelConfig config;
  private final Weights weights;
  private final Rope rope;
  private final Attention attention;
  private final float[][] stream;
  private final float[][] normed;
  private final float[][] queries;
  private final float[][] keys;
  private final float[][] values;
  private final float[][] mixed;
  private final float[][] gate;
  private final float[][] up;
  private final float[] scratch = new float[LANES];

  ReferenceModel(ModelConfig config) {
    this.config = config;
    weights = new Weights(config);
    rope = new Rope(config.headSize(), config.tokensMax());
    attention = new Attention(config, LANES);
    stream = new float[config.hidden()][LANES];
    normed = new float[config.hidden()][LANES];
    queries = new float[config.queryWidth()][LANES];
    keys = new float[config.kvWidth()][LANES];
    values = new float[config.kvWidth()][LANES];
    mixed = new float[config.queryWidth()][LANES];
    gate = new float[config.feedForward()][LANES];
    up = new float[config.feedForward()][LANES];
  }

  ModelConfig config() {
    return config;
  }

  /**
   * Computes {@code tokens[kv.length() .. to)} on top of what {@code kv} holds and appends their
   * keys and values to it.
   *
   * @return the logits after token {@code to - 1}, one per row of the vocabulary
   */
  float[] prefill(int[] tokens, int to, KvPool.Sequence kv) {
    return prefill(tokens, to, kv, (_, _) -> {});
  }

  /** As above, and tells how far it is. */
  float[] prefill(int[] tokens, int to, KvPool.Sequence kv, Progress progress) {
    final int from = kv.length();
    if (to <= from || to > tokens.length || to > config.tokensMax()) {
      throw new IllegalArgumentException(
          "KVA-0542 prefill rejected - from="
              + from
              + " to="
              + to
              + " tokens="
              + tokens.length
              + " (limit="
              + config.tokensMax()
              + "); pass at least one new token within the limit");
    }
    int lanes = 0;
    for (int position = from; position < to; position += lanes) {
      lanes = Math.min(LANES, to - position);
      kv.extend(lanes);
      embed(tokens, position, lanes);
      for (int layer = 0; layer < config.layers(); layer++) {
        attend(layer, position, lanes, kv);
        progress.computed(layer, position + lanes);
        feedForward(weights.layers[layer], lanes);
      }
    }
    return logits(lanes);
  }

  /** Row of the embedding for a token id of any tokeniser. */
  private int row(int token) {
    return (int) Long.remainderUnsigned(SplitMix64.mix(token + 1L), config.vocabulary());
  }

  private void embed(int[] tokens, int position, int lanes) {
    for (int lane = 0; lane < lanes; lane++) {
      final float[] row = weights.embedding[row(tokens[position + lane])];
      for (int i = 0; i < row.length; i++) {
        stream[i][lane] = row[i];
      }
    }
  }

  private void attend(int layer, int position, int lanes, KvPool.Sequence kv) {
    final Weights.Layer layerWeights = weights.layers[layer];
    Lanes.rmsNorm(stream, layerWeights.attentionNorm, normed, scratch, lanes);
    Lanes.multiply(layerWeights.query, normed, queries, lanes);
    Lanes.multiply(layerWeights.key, normed, keys, lanes);
    Lanes.multiply(layerWeights.value, normed, values, lanes);
    rope.apply(queries, position, (float) (1.0 / Math.sqrt(config.headSize())), lanes);
    rope.apply(keys, position, 1f, lanes);
    attention.store(layer, position, keys, values, lanes, kv);
    attention.attend(layer, position, queries, mixed, lanes, kv);
    Lanes.multiplyAdd(layerWeights.output, mixed, stream, lanes);
  }

  private void feedForward(Weights.Layer layer, int lanes) {
    Lanes.rmsNorm(stream, layer.feedForwardNorm, normed, scratch, lanes);
    Lanes.multiply(layer.gate, normed, gate, lanes);
    Lanes.multiply(layer.up, normed, up, lanes);
    Lanes.swiGlu(gate, up, lanes);
    Lanes.multiplyAdd(layer.down, gate, stream, lanes);
  }

  /** Here the rows of the vocabulary are the lanes; each still adds its terms in input order. */
  private float[] logits(int lanes) {
    Lanes.rmsNorm(stream, weights.finalNorm, normed, scratch, lanes);
    final float[] logits = new float[config.vocabulary()];
    Arrays.fill(logits, 0f);
    for (int i = 0; i < config.hidden(); i++) {
      Lanes.addOne(logits, weights.head[i], normed[i][lanes - 1], 0, logits.length);
    }
    return logits;
  }
}
