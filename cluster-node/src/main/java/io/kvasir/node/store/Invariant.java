package io.kvasir.node.store;

/** One sentence that must hold; breaking it is a bug of the store, never of its caller. */
final class Invariant {
  private Invariant() {}

  static void check(boolean holds, String sentence, long subject) {
    if (!holds) {
      throw new IllegalStateException(
          "KVA-0290 store invariant broken - invariant=\""
              + sentence
              + "\" subject="
              + subject
              + "; report this as a bug");
    }
  }
}
