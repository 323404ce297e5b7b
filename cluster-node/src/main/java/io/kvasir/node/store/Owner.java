package io.kvasir.node.store;

import java.util.UUID;
import org.agrona.collections.Int2IntCounterMap;
import org.agrona.collections.IntHashSet;

/**
 * Who holds pins and reservations: one engine instance, or the node's own transfers. Each slot held
 * counts once against the owner's share, however often it is pinned. Node agent only.
 */
public final class Owner {
  private final UUID instance;
  private final long pid;
  private final long startTimeMillis;

  final Int2IntCounterMap pins = new Int2IntCounterMap(0);
  final IntHashSet reserved = new IntHashSet();
  long chargedBytes;
  boolean closed;

  Owner(UUID instance, long pid, long startTimeMillis) {
    this.instance = instance;
    this.pid = pid;
    this.startTimeMillis = startTimeMillis;
  }

  /** The engine's own name for this run of it. */
  public UUID instance() {
    return instance;
  }

  /** Process id. */
  public long pid() {
    return pid;
  }

  /** When the process started; 0 if unknown. */
  public long startTimeMillis() {
    return startTimeMillis;
  }

  /** Bytes of slab that count against the share now. */
  public long chargedBytes() {
    return chargedBytes;
  }
}
