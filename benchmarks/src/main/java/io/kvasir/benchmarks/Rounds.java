package io.kvasir.benchmarks;

import io.kvasir.benchmarks.reference.Reference;
import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Measures several sides in rounds, each round in the opposite order of the one before. */
final class Rounds {
  /**
   * Before the first size: on two cores the compilers of two nodes take that long to fall silent.
   */
  static final int FIRST_WARM_UP = 40;

  static final int WARM_UP = 3;
  static final int MEASURED = 9;

  private Rounds() {}

  /** Runs all sides for a while before anything is measured, each as often as the others. */
  static void warmUp(
      List<? extends Reference> sides, int chunkBytes, int chunks, PrintStream progress)
      throws IOException {
    for (int round = 0; round < FIRST_WARM_UP; round++) {
      for (Reference side : sides) {
        side.deliver(chunkBytes, chunks);
      }
    }
    progress.printf("bench: warmed up with %d rounds of every side%n", FIRST_WARM_UP);
  }

  /** Returns GB/s of each side in each measured round, by name. */
  static Map<String, double[]> measure(
      List<? extends Reference> sides, int chunkBytes, int chunks, PrintStream progress)
      throws IOException {
    Map<String, double[]> samples = new HashMap<>();
    sides.forEach(side -> samples.put(side.name(), new double[MEASURED]));
    List<Reference> order = new ArrayList<>(sides);
    for (int round = -WARM_UP; round < MEASURED; round++) {
      Collections.reverse(order);
      for (Reference side : order) {
        double gigabytesPerSecond = (double) chunkBytes * chunks / side.deliver(chunkBytes, chunks);
        if (round >= 0) {
          double[] ofSide = samples.get(side.name());
          if (ofSide != null) {
            ofSide[round] = gigabytesPerSecond;
          }
        }
      }
    }
    progress.printf("bench: %d chunks of %d MiB measured%n", chunks, chunkBytes >> 20);
    return samples;
  }
}
