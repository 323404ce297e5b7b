package io.kvasir.cli.replay;

import java.util.List;
import java.util.Optional;

/**
 * Which byte to flip: in a block that a request on one node stores and that the next request for
 * it, on another node, has to pull from there. So the flip is in the way of a reader for certain.
 *
 * @param request number of the request that stores the block
 * @param position of the block in that request
 */
record CorruptionPlan(int request, int position) {
  /** Looks past the first tenth of the trace, so that the cache is in use when the byte flips. */
  static Optional<CorruptionPlan> find(List<Trace.Request> requests, int nodes, int corruptNode) {
    int blockIdMax =
        requests.stream()
            .flatMapToInt(request -> java.util.Arrays.stream(request.blockIds()))
            .max()
            .orElse(0);
    boolean[] seen = new boolean[blockIdMax + 1];
    int[] storedBy = new int[blockIdMax + 1];
    int[] storedAt = new int[blockIdMax + 1];
    int earliest = requests.size() / 10;
    for (int number = 0; number < requests.size(); number++) {
      int[] blockIds = requests.get(number).blockIds();
      for (int position = 0; position < blockIds.length; position++) {
        int id = blockIds[position];
        if (!seen[id]) {
          seen[id] = true;
          storedBy[id] = number;
          storedAt[id] = position;
        } else if (storedBy[id] >= earliest
            && storedBy[id] % nodes == corruptNode
            && number % nodes != corruptNode) {
          return Optional.of(new CorruptionPlan(storedBy[id], storedAt[id]));
        } else {
          storedBy[id] = -1;
        }
      }
    }
    return Optional.empty();
  }
}
