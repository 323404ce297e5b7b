package io.kvasir.connectors.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class PrefillRateTest {
  private static final Duration MOST = Duration.ofSeconds(1);
  private final PrefillRate rate = new PrefillRate();

  @Test
  void shouldSayNothingWhenNothingWorthMeasuringWasComputed() {
    rate.computed(1, 1_000_000);
    assertEquals(0, rate.tokensPerSecond());
    assertEquals(MOST, rate.timeFor(1, MOST));
  }

  @Test
  void shouldFollowWhenPrefillsBecomeSlower() {
    rate.computed(1_000, 100_000_000);
    assertEquals(10_000, rate.tokensPerSecond());
    assertEquals(Duration.ofMillis(50), rate.timeFor(500, MOST));
    for (int i = 0; i < 30; i++) {
      rate.computed(1_000, 200_000_000);
    }
    assertTrue(Math.abs(rate.tokensPerSecond() - 5_000) < 10, "rate=" + rate.tokensPerSecond());
    assertEquals(MOST, rate.timeFor(50_000, MOST));
  }

  @Test
  void shouldStayARateWhenTheClockStoodStill() {
    rate.computed(1_000, 1);
    assertEquals(1_000_000_000, rate.tokensPerSecond());
  }
}
