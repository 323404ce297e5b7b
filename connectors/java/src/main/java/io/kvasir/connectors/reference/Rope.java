package io.kvasir.connectors.reference;

/**
 * Rotary position embedding (Su et al., RoFormer, 2021) in the half-split form of Llama: dimension
 * {@code i} turns together with {@code i + headSize / 2}. Tables are [pair][position], so that the
 * positions of a block of tokens lie side by side. Immutable; safe for any thread.
 */
final class Rope {
  private final int half;
  private final float[][] cosines;
  private final float[][] sines;

  Rope(int headSize, int tokensMax) {
    half = headSize / 2;
    cosines = new float[half][tokensMax];
    sines = new float[half][tokensMax];
    for (int i = 0; i < half; i++) {
      final double frequency = StrictMath.pow(ModelConfig.ROPE_BASE, -2.0 * i / headSize);
      for (int position = 0; position < tokensMax; position++) {
        cosines[i][position] = (float) StrictMath.cos(position * frequency);
        sines[i][position] = (float) StrictMath.sin(position * frequency);
      }
    }
  }

  /** Turns all heads in {@code rows} ([head * headSize + dimension][lane]) and multiplies them. */
  void apply(float[][] rows, int firstPosition, float scale, int lanes) {
    for (int head = 0; head < rows.length; head += 2 * half) {
      for (int i = 0; i < half; i++) {
        final float[] low = rows[head + i];
        final float[] high = rows[head + half + i];
        final float[] cosine = cosines[i];
        final float[] sine = sines[i];
        for (int lane = 0; lane < lanes; lane++) {
          final float x = low[lane];
          final float y = high[lane];
          final float c = cosine[firstPosition + lane];
          final float s = sine[firstPosition + lane];
          low[lane] = (x * c - y * s) * scale;
          high[lane] = (y * c + x * s) * scale;
        }
      }
    }
  }
}
