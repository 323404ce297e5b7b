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
  static final int WARM_UP = 3;
  static final int MEASURED = 9;

  private Rounds() {}

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
