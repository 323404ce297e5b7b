package io.kvasir.connectors.client;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Answers the node's PING while the engine is busy with something else. A platform thread, because
 * an engine may keep all carriers of virtual threads busy for longer than the node waits.
 */
final class Keeper implements AutoCloseable {
  /** The node pings after 10 s and gives up after 30 s. */
  private static final long PERIOD_MS = 1000;

  private final Connection connection;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final Thread thread;

  Keeper(Connection connection) {
    this.connection = connection;
    this.thread = Thread.ofPlatform().daemon().name("kvasir-client-keeper").unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  /** Ends the thread; it never waits for the node. */
  @Override
  public void close() {
    closed.countDown();
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void run() {
    try {
      while (!closed.await(PERIOD_MS, TimeUnit.MILLISECONDS) && connection.isOpen()) {
        connection.poll();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
