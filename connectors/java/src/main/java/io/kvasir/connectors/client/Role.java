package io.kvasir.connectors.client;

/** What a socket is used for. */
public enum Role {
  /** Looks up, acquires, reserves, commits. Pins fall when the last of these closes. */
  SCHEDULER("scheduler"),
  /** Reads and writes the slab only; keeps reservations alive. */
  WORKER("worker");

  private final String wireName;

  Role(String wireName) {
    this.wireName = wireName;
  }

  String wireName() {
    return wireName;
  }
}
