package io.kvasir.transport;

import java.util.EnumMap;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;

/** Counters of a transport: written by the lane thread alone, read by any. */
final class Counters {
  /** One counter; the names are those of {@link TransportStats}. */
  enum Counter {
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
    FRAMES_DROPPED,
    NOTES_DROPPED,
    DRIVER_STARTS,
    PULLS_IN_FLIGHT,
    SERVES_IN_FLIGHT,
    IMAGES
  }

  private final EnumMap<Counter, AtomicLong> values = new EnumMap<>(Counter.class);

  Counters() {
    for (Counter id : Counter.values()) {
      values.put(id, new AtomicLong());
    }
  }

  void add(Counter id, long amount) {
    AtomicLong value = cell(id);
    value.setRelease(value.getPlain() + amount);
  }

  void increment(Counter id) {
    add(id, 1);
  }

  void set(Counter id, long value) {
    cell(id).setRelease(value);
  }

  long get(Counter id) {
    return cell(id).getAcquire();
  }

  private AtomicLong cell(Counter id) {
    return Objects.requireNonNull(values.get(id));
  }
}
