package io.kvasir.transport;

import java.util.concurrent.atomic.AtomicLongArray;

/** Counters of a transport: written by the lane thread alone, read by any. */
final class Counters {
  /** One counter; the names are those of {@link TransportStats}. */
  enum Id {
    BYTES_SENT,
    BYTES_RECEIVED,
    SEGMENTS_SENT,
    SEGMENTS_RECEIVED,
    SEGMENTS_IGNORED,
    PULLS_STARTED,
    CHUNKS_RECEIVED,
    CHUNKS_FAILED,
    SERVES_STARTED,
    CHUNKS_SENT,
    CHUNKS_REFUSED,
    SESSIONS_OPENED,
    SESSIONS_CLOSED,
    SESSIONS_OPEN,
    STRANGERS_REFUSED,
    PROTOCOL_ERRORS,
    AERON_ERRORS,
    SETUPS_DROPPED,
    DRIVER_STARTS,
    PULLS_IN_FLIGHT,
    SERVES_IN_FLIGHT,
    IMAGES
  }

  private final AtomicLongArray values = new AtomicLongArray(Id.values().length);

  void add(Id id, long amount) {
    int index = id.ordinal();
    values.setRelease(index, values.getPlain(index) + amount);
  }

  void increment(Id id) {
    add(id, 1);
  }

  void set(Id id, long value) {
    values.setRelease(id.ordinal(), value);
  }

  long get(Id id) {
    return values.getAcquire(id.ordinal());
  }
}
