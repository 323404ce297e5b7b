package io.kvasir.node.index;

/**
 * Told once what became of an announcement. Runs on a thread of the index: it may only hand it
 * over.
 */
@FunctionalInterface
public interface AnnounceCallback {
  /**
   * Called once per announcement.
   *
   * @param indexed true: lookups that start now on any member find the entry; false: not known to
   *     be indexed in time, the index keeps trying
   */
  void announced(boolean indexed);
}
