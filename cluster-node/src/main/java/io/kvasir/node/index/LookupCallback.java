package io.kvasir.node.index;

import org.jspecify.annotations.Nullable;

/**
 * Takes the answer of a lookup. Runs on a thread of the index, of its link, or the caller's: it may
 * only hand the answer over.
 */
@FunctionalInterface
public interface LookupCallback {
  /**
   * Called once per lookup.
   *
   * @param perKey one element per asked key; null: no other member is known to hold it
   * @param isWhole false if a part of the index gave no answer before the deadline; the elements it
   *     answers for are null then
   */
  void found(@Nullable Holders[] perKey, boolean isWhole);
}
