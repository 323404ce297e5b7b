package io.kvasir.connectors.reference;

import java.time.Duration;

/**
 * How fast this engine computes prompts: a moving average over the last few. The node weighs it
 * against what a load would take. Not thread-safe.
 */
final class PrefillRate {
  private static final double WEIGHT = 0.3;
  private static final double NANOS_PER_SECOND = 1e9;

  /** Of fewer tokens the time says more about the start than about the rate. */
  private static final int TOKENS_MIN = 128;

  private double nsPerToken;

  /** A prefill computed so many tokens. */
  void computed(int tokens, long tookNs) {
    if (tokens >= TOKENS_MIN) {
      final double sample = (double) tookNs / tokens;
      nsPerToken = nsPerToken == 0 ? sample : nsPerToken + WEIGHT * (sample - nsPerToken);
    }
  }

  /** Tokens in a second, 0 before anything was computed. */
  int tokensPerSecond() {
    return nsPerToken == 0 ? 0 : (int) Math.clamp(NANOS_PER_SECOND / nsPerToken, 1, 1e9);
  }

  /** What so many tokens take, or {@code most} if that is less or nothing was computed yet. */
  Duration timeFor(int tokens, Duration most) {
    final Duration time = Duration.ofNanos(Math.round(tokens * nsPerToken));
    return nsPerToken == 0 || time.compareTo(most) > 0 ? most : time;
  }
}
