package io.kvasir.node.peer;

import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.connectors.protocol.LoadAdvice;
import io.kvasir.node.store.Owner;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.NanoClock;

/**
 * Finds out whether a peer that was too slow still is. From a peer whose chunks are not worth
 * loading nothing would ever come again; so now and then one of them is pulled that no request
 * waits for. Node agent only.
 */
public final class RateProbe {
  /** A peer that was asked for something since then is known well enough. */
  private static final long PAUSE_NS = TimeUnit.SECONDS.toNanos(5);

  private static final long LIMIT_NS = TimeUnit.SECONDS.toNanos(2);

  /** Between two probes of any peers: one that found no room asked nobody. */
  private static final long GAP_NS = TimeUnit.SECONDS.toNanos(1);

  private static final long NO_ID = 0;

  private final PullCoordinator pulls;
  private final PullRates rates;
  private final Owner owner;
  private final PeerCounters counters;
  private final NanoClock clock;
  private long nextNs;

  /**
   * A probe.
   *
   * @param owner of what is pulled while it comes
   */
  public RateProbe(
      final PullCoordinator pulls,
      final PullRates rates,
      final Owner owner,
      final PeerCounters counters,
      final NanoClock clock) {
    this.pulls = pulls;
    this.rates = rates;
    this.owner = owner;
    this.counters = counters;
    this.clock = clock;
    this.nextNs = clock.nanoTime();
  }

  /** An engine was advised not to load the rest of the run. */
  public void advised(final ChunkRun run, final LoadPlan plan) {
    final PullRates.Rate rate = rates.of(plan.heldBack());
    final long nowNs = clock.nanoTime();
    final boolean isSlow =
        plan.advice() == LoadAdvice.BANDWIDTH || plan.advice() == LoadAdvice.LATENCY;
    if (isSlow && rate != null && nowNs - rate.askedNs() > PAUSE_NS && nowNs - nextNs >= 0) {
      nextNs = nowNs + GAP_NS;
      counters.rateProbed();
      pulls.acquire(NO_ID, owner, run.only(plan.worth()), nowNs + LIMIT_NS, new LetGo());
    }
  }

  /** Nobody waits for the chunk; that it came is all. */
  private static final class LetGo implements AcquireListener {
    @Override
    public void acquired(final AcquireOperation operation, final int chunks) {}

    @Override
    public void ready(final AcquireOperation operation, final int firstIndex, final int count) {}

    @Override
    public void ended(
        final AcquireOperation operation, final int readyChunks, final EndReason reason) {
      operation.release();
    }
  }
}
