package io.kvasir.node.engine;

import io.kvasir.node.peer.Handoffs;
import io.kvasir.node.store.Store;
import java.util.HashMap;
import java.util.Map;
import java.util.UUID;

/** The engine instances that have a socket open. Node agent only. */
final class EngineInstances {
  private final Store store;
  private final Handoffs handoffs;
  private final Map<UUID, EngineInstance> byId = new HashMap<>();

  EngineInstances(final Store store, final Handoffs handoffs) {
    this.store = store;
    this.handoffs = handoffs;
  }

  /** A socket of an instance said HELLO. */
  EngineInstance opened(final HelloRequest hello) {
    final EngineInstance instance =
        byId.computeIfAbsent(
            hello.instance(),
            id ->
                new EngineInstance(id, store.openOwner(id, hello.pid(), hello.startTimeMillis())));
    instance.sockets++;
    instance.schedulers += hello.isScheduler() ? 1 : 0;
    return instance;
  }

  /** A socket that said HELLO is gone. */
  void closed(final EngineInstance instance, final boolean isScheduler) {
    if (isScheduler && --instance.schedulers == 0) {
      store.dropPins(instance.owner);
    }
    if (--instance.sockets == 0) {
      handoffs.engineGone(instance.owner);
      store.closeOwner(instance.owner);
      byId.remove(instance.id);
    }
  }

  int size() {
    return byId.size();
  }
}
