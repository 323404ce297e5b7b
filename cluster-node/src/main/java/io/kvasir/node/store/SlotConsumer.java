package io.kvasir.node.store;

import io.kvasir.placement.ChunkKey;

/** Receives committed chunks one by one. */
@FunctionalInterface
public interface SlotConsumer {
  /** One committed chunk; {@code slot} is valid until the next call into the store. */
  void accept(int slot, ChunkKey key, long group, long version, int lengthBytes);
}
