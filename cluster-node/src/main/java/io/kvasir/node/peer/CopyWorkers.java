package io.kvasir.node.peer;

import io.kvasir.node.store.ForeignSlab;
import io.kvasir.node.store.SlabShare;
import java.io.IOException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Threads that map the slabs of neighbours and copy out of them, so that neither the node agent nor
 * a lane does. Answers are given on the node agent. Every slab that was mapped is unmapped by
 * {@link #close}; the work that waits is bounded by the slots reserved for it.
 */
final class CopyWorkers implements AutoCloseable {
  private static final long STOP_SECONDS_MAX = 10;

  private final ExecutorService threads;
  private final Executor agent;
  private final Set<ForeignSlab> open = ConcurrentHashMap.newKeySet();

  CopyWorkers(final int threadCount, final Executor agent) {
    this.agent = agent;
    this.threads =
        Executors.newFixedThreadPool(
            threadCount, Thread.ofPlatform().daemon().name("kvasir-copy-", 0).factory());
  }

  void open(
      final SlabShare own,
      final NeighbourMessage.Offer offer,
      final Consumer<ForeignSlab> onOpened,
      final Consumer<String> onFailed) {
    threads.execute(
        () -> {
          try {
            final ForeignSlab slab =
                ForeignSlab.open(own, offer.share(), offer.cell(), offer.nonce());
            open.add(slab);
            agent.execute(() -> onOpened.accept(slab));
          } catch (final IOException | RuntimeException | InternalError e) {
            agent.execute(() -> onFailed.accept(e.toString()));
          }
        });
  }

  void copy(final SlabCopy copy, final Consumer<SlabCopy> onDone) {
    threads.execute(
        () -> {
          try {
            copy.run();
          } finally {
            // Whatever happened: the slot is not free and the slab not unmapped before.
            agent.execute(() -> onDone.accept(copy));
          }
        });
  }

  void close(final ForeignSlab slab) {
    threads.execute(() -> unmap(slab));
  }

  private void unmap(final ForeignSlab slab) {
    slab.close();
    open.remove(slab);
  }

  /** Slabs that are mapped now. */
  int openSlabs() {
    return open.size();
  }

  /** Waits for the copies that run, drops the rest; the agent has ended. */
  @Override
  public void close() {
    threads.shutdownNow();
    try {
      if (!threads.awaitTermination(STOP_SECONDS_MAX, TimeUnit.SECONDS)) {
        throw new IllegalStateException(
            "KVA-0481 a copy worker does not stop - waitedSeconds=" + STOP_SECONDS_MAX);
      }
    } catch (final InterruptedException e) {
      Thread.currentThread().interrupt();
      return;
    }
    open.forEach(this::unmap);
  }
}
