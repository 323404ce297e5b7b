package io.kvasir.benchmarks;

import java.util.Arrays;

/** Order statistics of small samples. */
final class Samples {
  private Samples() {}

  static double median(double[] samples) {
    return percentile(samples, 0.5);
  }

  /** Nearest-rank percentile; {@code fraction} in [0, 1]. */
  static double percentile(double[] samples, double fraction) {
    if (samples.length == 0) {
      return Double.NaN;
    }
    double[] sorted = samples.clone();
    Arrays.sort(sorted);
    int rank = (int) Math.ceil(fraction * sorted.length) - 1;
    return sorted[Math.clamp(rank, 0, sorted.length - 1)];
  }

  /** Median of {@code ours[i] / theirs[i]}: robust against drift of the machine between pairs. */
  static double medianRatio(double[] ours, double[] theirs) {
    if (ours.length != theirs.length) {
      throw new IllegalArgumentException(
          "KVA-0650 pairs must match - ours=" + ours.length + " theirs=" + theirs.length);
    }
    double[] ratios = new double[ours.length];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] = ours[i] / theirs[i];
    }
    return median(ratios);
  }
}
