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
  final Shares shares;
  final long heartbeatNs;
  final long silenceNs;
  final long sessionTimeoutNs;
  final long idleCloseNs;
  private final RandomGenerator random;
  private long nextTransferId;

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
    this.shares = new Shares(config, counters, System.nanoTime());
  }

  /** Never repeats in this run, and another run starts elsewhere. */
  long newTransferId() {
    return nextTransferId++;
  }

  long newToken() {
    return random.nextLong();
  }
}
