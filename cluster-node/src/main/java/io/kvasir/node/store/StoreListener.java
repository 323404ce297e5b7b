package io.kvasir.node.store;

import io.kvasir.placement.ChunkKey;

/** What the store tells its node. Every method runs on the node agent thread. */
public interface StoreListener {
  /**
   * The chunk is complete, in the directory and visible. The listener may call the store, for
   * example to pin the slot before anything can evict it.
   *
   * @param cookie the caller's value from {@link Store#commit} or {@link Store#commitPulled}
   */
  void onCommitted(long cookie, int slot, long version);

  /**
   * The chunk did not become visible; the slot is still reserved: refill and commit again, or
   * abort.
   *
   * @param code {@link StoreCodes#DIRECTORY_FULL}
   */
  void onCommitFailed(long cookie, int slot, int code);

  /**
   * Answer to a pin that had to verify the chunk first. With {@code ok == false} the pin does not
   * hold: the bytes were bad (the chunk is gone), or the owner dropped its pins meanwhile.
   */
  void onPinVerified(long cookie, int slot, boolean ok);

  /** Answer to {@link Store#checksum}. */
  void onChecksum(long cookie, int slot, int crc32c);

  /** A chunk became visible; called before {@link #onCommitted}. */
  void onAdded(ChunkKey key, long group, long version, int lengthBytes);

  /**
   * A chunk is about to be given up; called before its slot can be reused. Must not call the store.
   */
  void onRemoved(ChunkKey key, long group, long version, RemovalReason reason);
}
