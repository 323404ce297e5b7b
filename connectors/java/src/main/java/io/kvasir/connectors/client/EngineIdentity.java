package io.kvasir.connectors.client;

import java.time.Instant;
import java.util.UUID;

/**
 * Who connects. Immutable.
 *
 * @param engine kind of engine, for example {@code reference}
 * @param version version of the engine
 * @param instance groups the sockets of one engine; pins and reservations belong to it
 * @param role what this socket is used for
 * @param rank tensor-parallel rank, from 0
 * @param world number of ranks
 */
public record EngineIdentity(
    String engine, String version, UUID instance, Role role, int rank, int world) {
  /** Checks the rank. */
  public EngineIdentity {
    if (world < 1 || rank < 0 || rank >= world) {
      throw new IllegalArgumentException("rank=" + rank + " world=" + world);
    }
  }

  /** An engine of one process: a new instance that schedules and computes. */
  public static EngineIdentity single(String engine, String version) {
    return new EngineIdentity(engine, version, UUID.randomUUID(), Role.SCHEDULER, 0, 1);
  }

  /** The id of this process. */
  long pid() {
    return ProcessHandle.current().pid();
  }

  /**
   * Start of this process in milliseconds since 1970 as the operating system tells it, 0 if it does
   * not. With it the node does not take a reused pid for this engine.
   */
  long startTimeMillis() {
    return ProcessHandle.current().info().startInstant().map(Instant::toEpochMilli).orElse(0L);
  }
}
