package io.kvasir.node.index;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class SeedWatchTest {
  private static final long SECOND_NS = TimeUnit.SECONDS.toNanos(1);

  private long nowNs = -1;

  @Test
  void shouldJoinAgainOnlyWhenAloneForAWhileAndASeedListens() throws IOException {
    try (ServerSocket seed = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      final SeedWatch watch =
          watch("nowhere.invalid:1", "127.0.0.1:99999", "127.0.0.1:" + seed.getLocalPort());
      assertEquals(-1, secondsUntilJoin(watch, 2, 100), "not alone");
      final int seconds = secondsUntilJoin(watch, 1, 100);
      assertTrue(seconds >= 8 && seconds <= 17, "seconds " + seconds);
      final int more = secondsUntilJoin(watch, 1, 100);
      assertTrue(more >= 16, "it still did not answer, seconds " + more);
      assertEquals(-1, secondsUntilJoin(watch, 3, 100), "not alone");
      assertTrue(secondsUntilJoin(watch, 1, 100) <= 17, "as at first");
    }
  }

  @Test
  void shouldStayWhenNobodyListens() throws IOException {
    final int port;
    try (ServerSocket seed = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = seed.getLocalPort();
    }
    assertEquals(-1, secondsUntilJoin(watch("127.0.0.1:" + port), 1, 1_000));
    assertFalse(watch().shouldJoinAgain(1, 0));
  }

  private static SeedWatch watch(final String... seeds) {
    return new SeedWatch(List.of(seeds), new SplittableRandom(1));
  }

  private int secondsUntilJoin(final SeedWatch watch, final int members, final int secondsMax) {
    for (int second = 0; second < secondsMax; second++) {
      nowNs += SECOND_NS;
      if (watch.shouldJoinAgain(members, nowNs)) {
        return second;
      }
    }
    return -1;
  }
}
