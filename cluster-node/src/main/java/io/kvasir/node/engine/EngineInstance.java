package io.kvasir.node.engine;

import io.kvasir.node.store.Owner;
import java.util.UUID;
import org.agrona.collections.Int2IntHashMap;

/**
 * One run of an engine: the sockets that gave the same instance id in HELLO. Pins and reservations
 * belong to it. Node agent only.
 */
final class EngineInstance {
  static final int NOT_RESERVED = -1;

  final UUID id;
  final Owner owner;

  /** Slots reserved and not yet committed or aborted, with the space they were reserved for. */
  final Int2IntHashMap reservedSlots = new Int2IntHashMap(NOT_RESERVED);

  int sockets;
  int schedulers;
  int acquisitions;

  EngineInstance(final UUID id, final Owner owner) {
    this.id = id;
    this.owner = owner;
  }
}
