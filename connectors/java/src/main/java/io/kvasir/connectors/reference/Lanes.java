package io.kvasir.connectors.reference;

import java.util.Arrays;

/**
 * The decoder's arithmetic over a block of tokens: <b>one token is one lane</b>. Activations are
 * [feature][lane]; every inner loop runs over the lanes and each lane adds its terms in the order
 * of the features. A token's result therefore does not depend on how many tokens share its block,
 * and since Java's float arithmetic is strict (JEP 306) it does not depend on whether a loop was
 * interpreted, compiled or vectorised: no sum is ever folded across lanes.
 *
 * <p>Separate row arrays instead of one flat array let C2 prove that loads and stores do not
 * overlap, which it needs to vectorise.
 */
final class Lanes {
  private static final double NORM_EPSILON = 1e-5;

  private Lanes() {}

  /** {@code out[o][lane] = Σ weights[o][i] * in[i][lane]}, i ascending. */
  static void multiply(float[][] weights, float[][] in, float[][] out, int lanes) {
    for (int o = 0; o < weights.length; o++) {
      Arrays.fill(out[o], 0, lanes, 0f);
    }
    multiplyAdd(weights, in, out, lanes);
  }

  /** {@code out[o][lane] += Σ weights[o][i] * in[i][lane]}, one term after the other. */
  static void multiplyAdd(float[][] weights, float[][] in, float[][] out, int lanes) {
    for (int o = 0; o < weights.length; o += 2) {
      final float[] a = weights[o];
      final float[] b = weights[o + 1];
      for (int i = 0; i < a.length; i += 4) {
        addFourToTwo(
            out[o],
            out[o + 1],
            in[i],
            in[i + 1],
            in[i + 2],
            in[i + 3],
            a[i],
            a[i + 1],
            a[i + 2],
            a[i + 3],
            b[i],
            b[i + 1],
            b[i + 2],
            b[i + 3],
            lanes);
      }
    }
  }

  /**
   * Adds four terms to each of two outputs. Two outputs share the loads of the inputs: measured 1.2
   * times as fast as one output at a time.
   */
  static void addFourToTwo(
      float[] outA,
      float[] outB,
      float[] in0,
      float[] in1,
      float[] in2,
      float[] in3,
      float a0,
      float a1,
      float a2,
      float a3,
      float b0,
      float b1,
      float b2,
      float b3,
      int lanes) {
    for (int lane = 0; lane < lanes; lane++) {
      final float x0 = in0[lane];
      final float x1 = in1[lane];
      final float x2 = in2[lane];
      final float x3 = in3[lane];
      outA[lane] = outA[lane] + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3;
      outB[lane] = outB[lane] + b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3;
    }
  }

  /** Adds one term to one output, for the lanes from {@code from}. */
  static void addOne(float[] out, float[] in, float factor, int from, int lanes) {
    for (int lane = from; lane < lanes; lane++) {
      out[lane] = out[lane] + factor * in[lane];
    }
  }

  /** {@code max[lane] = max(max[lane], row[lane])} for the lanes from {@code from}. */
  static void maximum(float[] max, float[] row, int from, int lanes) {
    for (int lane = from; lane < lanes; lane++) {
      max[lane] = Math.max(max[lane], row[lane]);
    }
  }

  /**
   * {@code row[lane] = exp(row[lane] - max[lane])}, added to {@code sum[lane]}. StrictMath because
   * Math.exp may round differently when the interpreter and the compiled code use different stubs.
   */
  static void exponential(float[] row, float[] max, float[] sum, int from, int lanes) {
    for (int lane = from; lane < lanes; lane++) {
      final float e = (float) StrictMath.exp(row[lane] - max[lane]);
      row[lane] = e;
      sum[lane] += e;
    }
  }

  /** Root mean square norm: {@code out = in * weight / sqrt(mean(in²) + epsilon)}. */
  static void rmsNorm(float[][] in, float[] weight, float[][] out, float[] scratch, int lanes) {
    Arrays.fill(scratch, 0, lanes, 0f);
    for (final float[] row : in) {
      for (int lane = 0; lane < lanes; lane++) {
        scratch[lane] = scratch[lane] + row[lane] * row[lane];
      }
    }
    for (int lane = 0; lane < lanes; lane++) {
      scratch[lane] = (float) (1.0 / Math.sqrt((double) scratch[lane] / in.length + NORM_EPSILON));
    }
    for (int i = 0; i < in.length; i++) {
      scaleInto(in[i], scratch, weight[i], out[i], lanes);
    }
  }

  private static void scaleInto(float[] in, float[] scale, float weight, float[] out, int lanes) {
    for (int lane = 0; lane < lanes; lane++) {
      out[lane] = in[lane] * scale[lane] * weight;
    }
  }

  /** {@code row[lane] /= divisor[lane]}. */
  static void divide(float[] row, float[] divisor, int lanes) {
    for (int lane = 0; lane < lanes; lane++) {
      row[lane] = row[lane] / divisor[lane];
    }
  }

  /** SwiGLU: {@code gate = gate / (1 + exp(-gate)) * up}. */
  static void swiGlu(float[][] gate, float[][] up, int lanes) {
    for (int i = 0; i < gate.length; i++) {
      final float[] g = gate[i];
      final float[] u = up[i];
      for (int lane = 0; lane < lanes; lane++) {
        final float x = g[lane];
        g[lane] = x / (1f + (float) StrictMath.exp(-x)) * u[lane];
      }
    }
  }
}
