package io.kvasir.transport;

import java.util.random.RandomGenerator;

/**
 * What sessions share. Everything in it is the lane thread's, except {@code config}, {@code
 * counters} and {@code wake}.
 */
final class LaneContext {
  final TransportConfig config;
  final Identity identity;
  final Counters counters = new Counters();
  final ChunkSource source;
  final Questions questions;
  final Runnable wake;
  final ControlWriter control = new ControlWriter();
  final DataWriter data = new DataWriter();
  private final RateCap demandCap;
  private final RateCap handoffCap;
  final long heartbeatNs;
  final long silenceNs;
  final long sessionTimeoutNs;
  final long idleCloseNs;
  private final RandomGenerator random;
  private long nextTransferId;
  private int servesInFlight;

  LaneContext(
      TransportConfig config,
      Identity identity,
      ChunkSource source,
      Questions questions,
      Runnable wake,
      RandomGenerator random) {
    this.config = config;
    this.identity = identity;
    this.source = source;
    this.questions = questions;
    this.wake = wake;
    this.random = random;
    this.heartbeatNs = config.heartbeat().toNanos();
    this.silenceNs = config.silence().toNanos();
    this.sessionTimeoutNs = config.sessionTimeout().toNanos();
    this.idleCloseNs = config.idleClose().toNanos();
    this.nextTransferId = random.nextLong();
    long nowNs = System.nanoTime();
    this.demandCap = new RateCap(config.demandBytesPerSecond(), nowNs);
    this.handoffCap = new RateCap(config.handoffBytesPerSecond(), nowNs);
  }

  /** Once a turn. */
  void beginTurn(long nowNs) {
    demandCap.fill(nowNs);
    handoffCap.fill(nowNs);
  }

  RateCap cap(TrafficClass trafficClass) {
    return switch (trafficClass) {
      case DEMAND -> demandCap;
      case HANDOFF -> handoffCap;
    };
  }

  /** Never repeats in this run, and another run starts elsewhere. */
  long newTransferId() {
    return nextTransferId++;
  }

  long newToken() {
    return random.nextLong();
  }

  /** Takes one of the limited places for serves. */
  boolean beginServe() {
    if (servesInFlight == config.maxServesInFlight()) {
      return false;
    }
    servesInFlight++;
    counters.increment(Counters.Counter.SERVES_STARTED);
    counters.set(Counters.Counter.SERVES_IN_FLIGHT, servesInFlight);
    return true;
  }

  void endServe() {
    servesInFlight--;
    counters.set(Counters.Counter.SERVES_IN_FLIGHT, servesInFlight);
  }

  int servesInFlight() {
    return servesInFlight;
  }
}
