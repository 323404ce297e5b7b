package io.kvasir.node.index;

import io.kvasir.placement.ChunkKey;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A member in a process of its own. Arguments: directory, node id, zone, seeds. Obeys lines on
 * standard input, ends with it.
 */
final class IndexProcess {
  private IndexProcess() {}

  public static void main(final String[] arguments) throws Exception {
    final Path directory = Path.of(arguments[0]);
    final List<String> seeds = List.of(arguments[3].split(",", -1));
    final IndexConfig config =
        IndexCluster.config(directory, Long.parseLong(arguments[1]), arguments[2], 0, seeds);
    try (IndexCluster.Node node = new IndexCluster.Node().join(config);
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      System.out.println("READY");
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        final String[] words = line.split(" ", -1);
        System.out.println(
            switch (words[0]) {
              case "announce" ->
                  announce(node.index(), Long.parseLong(words[1]), Integer.parseInt(words[2]));
              default -> "UNKNOWN";
            });
      }
    }
  }

  private static String announce(final ClusterIndex index, final long seed, final int prefixes) {
    final SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < prefixes; i++) {
      final Prefix prefix = Prefix.next(random);
      for (int k = 0; k < prefix.keys().length; k++) {
        while (!index.announce(prefix.keys()[k], prefix.groups()[k], 4096, 1, null)) {
          IndexCluster.await(
              "room", () -> index.announceRoom() > ClusterIndex.announceRoomMax() / 2);
        }
      }
    }
    IndexCluster.await(
        "all sent",
        () ->
            index.stats().queued() == 0
                && index.stats().indexed() >= (long) prefixes * Prefix.CHUNKS);
    return "DONE";
  }

  /**
   * Keys and groups of 128 chunks of 256 tokens, grouped as prompts are: 2 chunks, then 16 each.
   */
  @SuppressWarnings("ArrayRecordComponent") // test data, never compared
  record Prefix(ChunkKey[] keys, long[] groups) {
    static final int CHUNKS = 128;

    static Prefix next(final SplittableRandom random) {
      final ChunkKey[] keys = new ChunkKey[CHUNKS];
      final long[] groups = new long[CHUNKS];
      for (int i = 0; i < CHUNKS; i++) {
        keys[i] = IndexCluster.key(random);
        groups[i] = i == 0 || (i >= 2 && (i - 2) % 16 == 0) ? keys[i].w0() : groups[i - 1];
      }
      return new Prefix(keys, groups);
    }
  }
}
