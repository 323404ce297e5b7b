package io.kvasir.connectors.reference;

import java.util.Arrays;

/**
 * Causal grouped-query attention of a block of query tokens (the lanes) over the pages of a
 * sequence. For each head: scores [key][lane], their maximum, exponentials and sum per lane, then
 * the weighted sum of the values; every lane goes through the keys in order of their positions.
 * Lane {@code l} at position {@code p + l} sees the keys {@code 0 .. p + l}, so a key within the
 * block is only applied to the lanes from its own one on. Not thread-safe.
 */
final class Attention {
  private final ModelConfig config;
  private final int chunkTokens;
  private final int width;
  private final int headSize;
  private final int layerFloats;
  private final float[][] scores;
  private final float[] max;
  private final float[] sum;

  Attention(ModelConfig config, int lanesMax) {
    this.config = config;
    chunkTokens = config.chunkTokens();
    width = config.kvWidth();
    headSize = config.headSize();
    layerFloats = 2 * chunkTokens * width;
    scores = new float[config.tokensMax()][lanesMax];
    max = new float[lanesMax];
    sum = new float[lanesMax];
  }

  /** Writes keys and values of a block ([dimension][lane]) to the pages ([token][dimension]). */
  void store(
      int layer, int position, float[][] keys, float[][] values, int lanes, KvPool.Sequence kv) {
    for (int lane = 0; lane < lanes; lane++) {
      final float[] page = kv.page((position + lane) / chunkTokens);
      final int keyAt = keyOffset(layer, (position + lane) % chunkTokens);
      final int valueAt = keyAt + chunkTokens * width;
      for (int i = 0; i < width; i++) {
        page[keyAt + i] = keys[i][lane];
        page[valueAt + i] = values[i][lane];
      }
    }
  }

  /** Attends with all query heads ([head * headSize + dimension][lane]) into {@code out}. */
  void attend(
      int layer, int position, float[][] queries, float[][] out, int lanes, KvPool.Sequence kv) {
    final int group = config.heads() / config.kvHeads();
    for (int head = 0; head < config.heads(); head++) {
      final int kvAt = head / group * headSize;
      score(layer, position, queries, head * headSize, kvAt, lanes, kv);
      softmax(position, lanes);
      weigh(layer, position, out, head * headSize, kvAt, lanes, kv);
    }
  }

  private int keyOffset(int layer, int token) {
    return layer * layerFloats + token * width;
  }

  private void score(
      int layer,
      int position,
      float[][] queries,
      int queryAt,
      int kvAt,
      int lanes,
      KvPool.Sequence kv) {
    final int keys = position + lanes;
    for (int key = 0; key < keys; key++) {
      Arrays.fill(scores[key], 0, lanes, 0f);
    }
    int key = 0;
    for (; key + 2 <= position; key += 2) { // pages hold an even number of tokens
      final float[] page = kv.page(key / chunkTokens);
      final int at = keyOffset(layer, key % chunkTokens) + kvAt;
      scorePair(page, at, queries, queryAt, scores[key], scores[key + 1], lanes);
    }
    for (; key < keys; key++) {
      final float[] page = kv.page(key / chunkTokens);
      final int at = keyOffset(layer, key % chunkTokens) + kvAt;
      final int from = Math.max(0, key - position);
      for (int i = 0; i < headSize; i++) {
        Lanes.addOne(scores[key], queries[queryAt + i], page[at + i], from, lanes);
      }
    }
  }

  private void scorePair(
      float[] page, int at, float[][] queries, int queryAt, float[] a, float[] b, int lanes) {
    for (int i = 0; i < headSize; i += 4) {
      final int ka = at + i;
      final int kb = ka + width;
      final int q = queryAt + i;
      Lanes.addFourToTwo(
          a,
          b,
          queries[q],
          queries[q + 1],
          queries[q + 2],
          queries[q + 3],
          page[ka],
          page[ka + 1],
          page[ka + 2],
          page[ka + 3],
          page[kb],
          page[kb + 1],
          page[kb + 2],
          page[kb + 3],
          lanes);
    }
  }

  private void softmax(int position, int lanes) {
    Arrays.fill(max, 0, lanes, Float.NEGATIVE_INFINITY);
    Arrays.fill(sum, 0, lanes, 0f);
    final int keys = position + lanes;
    for (int key = 0; key < keys; key++) {
      Lanes.maximum(max, scores[key], Math.max(0, key - position), lanes);
    }
    for (int key = 0; key < keys; key++) {
      Lanes.exponential(scores[key], max, sum, Math.max(0, key - position), lanes);
    }
  }

  private void weigh(
      int layer, int position, float[][] out, int outAt, int kvAt, int lanes, KvPool.Sequence kv) {
    for (int i = 0; i < headSize; i++) {
      Arrays.fill(out[outAt + i], 0, lanes, 0f);
    }
    final int keys = position + lanes;
    int key = 0;
    for (; key + 4 <= position; key += 4) { // pages hold a multiple of four tokens
      final float[] page = kv.page(key / chunkTokens);
      final int at = keyOffset(layer, key % chunkTokens) + chunkTokens * width + kvAt;
      weighFour(page, at, key, out, outAt, lanes);
    }
    for (; key < keys; key++) {
      final float[] page = kv.page(key / chunkTokens);
      final int at = keyOffset(layer, key % chunkTokens) + chunkTokens * width + kvAt;
      final int from = Math.max(0, key - position);
      for (int i = 0; i < headSize; i++) {
        Lanes.addOne(out[outAt + i], scores[key], page[at + i], from, lanes);
      }
    }
    for (int i = 0; i < headSize; i++) {
      Lanes.divide(out[outAt + i], sum, lanes);
    }
  }

  private void weighFour(float[] page, int at, int key, float[][] out, int outAt, int lanes) {
    for (int i = 0; i < headSize; i += 2) {
      final int v0 = at + i;
      final int v1 = v0 + width;
      final int v2 = v1 + width;
      final int v3 = v2 + width;
      Lanes.addFourToTwo(
          out[outAt + i],
          out[outAt + i + 1],
          scores[key],
          scores[key + 1],
          scores[key + 2],
          scores[key + 3],
          page[v0],
          page[v1],
          page[v2],
          page[v3],
          page[v0 + 1],
          page[v1 + 1],
          page[v2 + 1],
          page[v3 + 1],
          lanes);
    }
  }
}
