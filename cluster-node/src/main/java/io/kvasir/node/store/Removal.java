package io.kvasir.node.store;

/** Gives up a committed chunk that nobody pins, after the listener has heard of it. */
@FunctionalInterface
interface Removal {
  void remove(int slot, RemovalReason reason);
}
