package io.kvasir.connectors.reference;

/**
 * Seeded random weights of the decoder: uniform with variance {@code 1 / inputs}, so that
 * activations keep their size from layer to layer; the two projections that add to the residual
 * stream are smaller by {@code sqrt(2 * layers)}. Immutable after construction by convention: no
 * one writes to the arrays.
 */
final class Weights {
  /** One decoder layer; matrices are [output][input]. */
  static final class Layer {
    final float[] attentionNorm;
    final float[][] query;
    final float[][] key;
    final float[][] value;
    final float[][] output;
    final float[] feedForwardNorm;
    final float[][] gate;
    final float[][] up;
    final float[][] down;

    Layer(ModelConfig config, SplitMix64 random) {
      final int hidden = config.hidden();
      final int inner = config.feedForward();
      final double residual = 1.0 / StrictMath.sqrt(2.0 * config.layers());
      attentionNorm = norm(random, hidden);
      query = matrix(random, config.queryWidth(), hidden, bound(hidden));
      key = matrix(random, config.kvWidth(), hidden, bound(hidden));
      value = matrix(random, config.kvWidth(), hidden, bound(hidden));
      output = matrix(random, hidden, config.queryWidth(), bound(config.queryWidth()) * residual);
      feedForwardNorm = norm(random, hidden);
      gate = matrix(random, inner, hidden, bound(hidden));
      up = matrix(random, inner, hidden, bound(hidden));
      down = matrix(random, hidden, inner, bound(inner) * residual);
    }
  }

  final float[][] embedding;
  final Layer[] layers;
  final float[] finalNorm;

  /** [input][vocabulary], unlike all others: one token meets all rows, so rows are the lanes. */
  final float[][] head;

  Weights(ModelConfig config) {
    final SplitMix64 random = new SplitMix64(config.seed());
    final int hidden = config.hidden();
    embedding = matrix(random, config.vocabulary(), hidden, StrictMath.sqrt(3.0));
    layers = new Layer[config.layers()];
    for (int i = 0; i < layers.length; i++) {
      layers[i] = new Layer(config, random);
    }
    finalNorm = norm(random, hidden);
    head = matrix(random, hidden, config.vocabulary(), bound(hidden));
  }

  /** A uniform number in ±bound has variance bound² / 3. */
  private static double bound(int inputs) {
    return StrictMath.sqrt(3.0 / inputs);
  }

  private static float[][] matrix(SplitMix64 random, int rows, int columns, double bound) {
    final float scale = (float) bound;
    final float[][] matrix = new float[rows][columns];
    for (final float[] row : matrix) {
      for (int i = 0; i < columns; i++) {
        row[i] = random.nextSigned() * scale;
      }
    }
    return matrix;
  }

  private static float[] norm(SplitMix64 random, int size) {
    final float[] norm = new float[size];
    for (int i = 0; i < size; i++) {
      norm[i] = 1f + 0.1f * random.nextSigned();
    }
    return norm;
  }
}
