package io.kvasir.node.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class BreakerTest {
  private final Breaker breaker = new Breaker();
  private long nowNs = Long.MAX_VALUE - 10; // it wraps on the way

  @Test
  void shouldOpenWhenTwoPullsInARowFail() {
    // Of one pull several chunks fail.
    assertFalse(breaker.failed(1, nowNs));
    assertFalse(breaker.failed(1, nowNs));
    assertTrue(breaker.mayAsk(nowNs));
    assertTrue(breaker.failed(2, nowNs));
    assertEquals(Breaker.State.OPEN, breaker.state());
    assertFalse(breaker.mayAsk(nowNs));
    assertFalse(breaker.mayAsk(nowNs + Breaker.OPEN_MIN_NS - 1));
  }

  @Test
  void shouldStayClosedWhenPullsFailNowAndThen() {
    for (int pull = 0; pull < 100; pull++) {
      assertFalse(breaker.failed(pull, nowNs));
      breaker.answered();
    }
    assertTrue(breaker.mayAsk(nowNs));
  }

  @Test
  void shouldAskOnceWhenTheTimeIsOver() {
    open();
    nowNs += Breaker.OPEN_MIN_NS;
    assertTrue(breaker.mayAsk(nowNs));
    breaker.asked(nowNs);
    assertEquals(Breaker.State.HALF_OPEN, breaker.state());
    assertFalse(breaker.mayAsk(nowNs));
    breaker.answered();
    assertEquals(Breaker.State.CLOSED, breaker.state());
    assertTrue(breaker.mayAsk(nowNs));
  }

  @Test
  void shouldWaitTwiceAsLongWhenItFailsAgain() {
    open();
    long openNs = Breaker.OPEN_MIN_NS;
    for (int pull = 10; pull < 20; pull++) {
      assertFalse(breaker.mayAsk(nowNs + openNs - 1));
      nowNs += openNs;
      breaker.asked(nowNs);
      assertTrue(breaker.failed(pull, nowNs));
      openNs = Math.min(Breaker.OPEN_MAX_NS, 2 * openNs);
    }
    assertEquals(Breaker.OPEN_MAX_NS, openNs);
  }

  @Test
  void shouldAskAgainWhenTheOneThatWasAskedNeverEnded() {
    open();
    nowNs += Breaker.OPEN_MIN_NS;
    breaker.asked(nowNs);
    assertTrue(breaker.mayAsk(nowNs + Breaker.PROBE_NS));
  }

  private void open() {
    breaker.failed(1, nowNs);
    breaker.failed(2, nowNs);
  }
}
