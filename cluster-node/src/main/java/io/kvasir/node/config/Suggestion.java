package io.kvasir.node.config;

import java.util.function.Function;

/** Names the nearest known key for one that is not known. */
final class Suggestion {
  private Suggestion() {}

  static String forKey(final String unknown) {
    return nearest(unknown, key -> key.path);
  }

  static String forEnvironment(final String unknown) {
    return nearest(unknown, ConfigKey::environmentName);
  }

  private static String nearest(final String unknown, final Function<ConfigKey, String> name) {
    String best = "";
    int bestDistance = Integer.MAX_VALUE;
    for (final ConfigKey key : ConfigKey.values()) {
      final int distance = distance(unknown, name.apply(key));
      if (distance < bestDistance) {
        bestDistance = distance;
        best = name.apply(key);
      }
    }
    // A name that shares little with any key gets no suggestion: a wild guess helps nobody.
    return bestDistance <= Math.max(2, unknown.length() / 3) ? " (did you mean " + best + "?)" : "";
  }

  /** Levenshtein distance: insertions, deletions and replacements that turn one into the other. */
  private static int distance(final String from, final String to) {
    int[] previous = new int[to.length() + 1];
    for (int j = 0; j <= to.length(); j++) {
      previous[j] = j;
    }
    for (int i = 1; i <= from.length(); i++) {
      final int[] current = new int[to.length() + 1];
      current[0] = i;
      for (int j = 1; j <= to.length(); j++) {
        final int replace = previous[j - 1] + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        current[j] = Math.min(replace, Math.min(previous[j], current[j - 1]) + 1);
      }
      previous = current;
    }
    return previous[to.length()];
  }
}
