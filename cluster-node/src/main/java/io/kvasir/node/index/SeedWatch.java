package io.kvasir.node.index;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;

/**
 * Tells a node that is alone when somebody listens where a seed should be. Two rings never become
 * one by themselves: a node that began one because no seed answered in time, at its start or when
 * it came back from a pause, has to leave it and join again. It waits longer from time to time,
 * since a seed may listen and never answer, and by chance, since two nodes may look for each other.
 * One thread.
 */
final class SeedWatch {
  private static final long WAIT_MIN_NS = TimeUnit.SECONDS.toNanos(8);
  private static final long WAIT_MAX_NS = TimeUnit.MINUTES.toNanos(4);
  private static final int CONNECT_MILLIS = 1_000;

  private final List<String> seeds;
  private final RandomGenerator random;
  private long waitNs = WAIT_MIN_NS;
  private boolean isWaiting;
  private long dueNs;

  /**
   * @param seeds {@code host:port} of others, not the own one
   */
  SeedWatch(final List<String> seeds, final RandomGenerator random) {
    this.seeds = List.copyOf(seeds);
    this.random = random;
  }

  /** To be asked often; takes up to a second for each seed when it looks. */
  boolean shouldJoinAgain(final int members, final long nowNs) {
    if (members > 1 || seeds.isEmpty()) {
      isWaiting = false;
      waitNs = WAIT_MIN_NS;
      return false;
    }
    if (!isWaiting) {
      isWaiting = true;
      dueNs = nowNs + waitNs + random.nextLong(waitNs);
      return false;
    }
    if (dueNs - nowNs > 0) {
      return false;
    }
    isWaiting = false;
    waitNs = Math.min(2 * waitNs, WAIT_MAX_NS);
    return seeds.stream().anyMatch(SeedWatch::isListening);
  }

  private static boolean isListening(final String seed) {
    final int colon = seed.lastIndexOf(':');
    final String host = seed.substring(0, colon).replaceAll("[\\[\\]]", "");
    try (Socket socket = new Socket()) {
      socket.connect(
          new InetSocketAddress(host, Integer.parseInt(seed.substring(colon + 1))), CONNECT_MILLIS);
      return true;
    } catch (final IOException | IllegalArgumentException _) {
      return false; // nobody there, or no such host or port
    }
  }
}
