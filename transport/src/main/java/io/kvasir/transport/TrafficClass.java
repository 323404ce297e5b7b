package io.kvasir.transport;

import org.jspecify.annotations.Nullable;

/** What a pull is for: each class has its own limits, so that none starves another. */
public enum TrafficClass {
  /** Chunks that a request waits for. */
  DEMAND(1),
  /** Slices that a prefill engine hands to a decode node. */
  HANDOFF(2);

  private static final TrafficClass[] ALL = values();

  private final int code;

  TrafficClass(int code) {
    this.code = code;
  }

  /** The number that stands for this on the wire. */
  int code() {
    return code;
  }

  /** The class of a code from the wire, or null for an unknown one. */
  static @Nullable TrafficClass ofCode(int code) {
    return code >= 1 && code <= ALL.length ? ALL[code - 1] : null;
  }
}
