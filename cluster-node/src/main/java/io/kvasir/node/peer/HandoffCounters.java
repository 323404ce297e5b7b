package io.kvasir.node.peer;

import java.util.concurrent.atomic.LongAdder;

/** What hand-offs did since the process started. Node agent only, except {@link #dropped}. */
public final class HandoffCounters {
  long created;
  long offered;
  long declined;
  final LongAdder dropped = new LongAdder();
  long slicesCommitted;
  long slicesReceived;
  long chunksReceived;
  long chunksLost;
  long awaits;
  long cancelled;
  long firstSliceNs;
  long lastSliceNs;

  HandoffCounters() {}

  /** Hand-offs that engines of this host created. */
  public long created() {
    return created;
  }

  /** Hand-offs that other nodes offered. */
  public long offered() {
    return offered;
  }

  /** Offers that were refused: malformed, an id that was used before, or too many. */
  public long declined() {
    return declined;
  }

  /** Words of peers for which there was no room. */
  public long dropped() {
    return dropped.sum();
  }

  /** Slices that engines of this host committed. */
  public long slicesCommitted() {
    return slicesCommitted;
  }

  /** Slices that arrived with the right checksum. */
  public long slicesReceived() {
    return slicesReceived;
  }

  /** Chunks whose last slice arrived. */
  public long chunksReceived() {
    return chunksReceived;
  }

  /** Offered chunks that had no room or did not arrive whole. */
  public long chunksLost() {
    return chunksLost;
  }

  /** AWAIT requests. */
  public long awaits() {
    return awaits;
  }

  /** Hand-offs cancelled at this node. */
  public long cancelled() {
    return cancelled;
  }

  /** When the newest hand-off of this host let its first slice go; the clock of the machine. */
  public long firstSliceNs() {
    return firstSliceNs;
  }

  /** When the last slice of any hand-off was in its slot and verified; the same clock. */
  public long lastSliceNs() {
    return lastSliceNs;
  }
}
