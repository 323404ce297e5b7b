package io.kvasir.placement;

import java.util.function.IntPredicate;

/**
 * Decides which chunk of a store goes next. Chunks are named by their slot's index in {@code [0,
 * maxSlots)}; a policy knows a slot from {@link #onInsert} to {@link #onRemove}.
 *
 * <p>All memory is taken at construction; no call allocates. Not thread-safe: a policy belongs to
 * the one thread that owns the store. Calls that do not fit the slot's state are bugs of the store
 * and throw: an index out of range {@link IndexOutOfBoundsException}, a slot inserted twice or not
 * present {@link IllegalStateException}.
 */
public interface EvictionPolicy {
  /** What {@link #victim} answers when no slot may go. */
  int NONE = -1;

  /** A chunk was committed to the slot. */
  void onInsert(int slot, ChunkKey key);

  /** The chunk of the slot was used. */
  void onAccess(int slot);

  /** The slot is empty now, by eviction or otherwise. */
  void onRemove(int slot);

  /**
   * The slot that should go next among those that the predicate accepts, or {@link #NONE}. The slot
   * stays until {@link #onRemove}; asked again before any other call, the policy names the same
   * one.
   *
   * <p>Slots that the predicate refuses are in use and count as such: they join the young end of
   * their queue, so that long-held pins cost each call nothing.
   *
   * @param evictable must answer the same throughout one call and must not call the policy
   */
  int victim(IntPredicate evictable);
}
