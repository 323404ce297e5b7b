package io.kvasir.node.peer;

import io.kvasir.node.index.Holders;
import io.kvasir.placement.ChunkKey;
import org.jspecify.annotations.Nullable;

/**
 * Which holder of a chunk is asked for it: the one that is asked for the chunks before it if that
 * is no mistake, else any that is not much slower than the best, spread by key. Node agent only.
 */
final class HolderChoice {
  static final int NONE = -1;

  /** A holder is passed over when it would take longer than this many times the best one. */
  private static final int SLOWER_MAX = 2;

  /** What was learned of a holder longer ago than this no longer counts against it. */
  private static final long STALE_NS = 10_000_000_000L;

  /** What does not count as slower. */
  private static final long SLACK_NS = 1_000_000;

  private final PeerTable peers;
  private final PullRates rates;

  HolderChoice(final PeerTable peers, final PullRates rates) {
    this.peers = peers;
    this.rates = rates;
  }

  /**
   * Chooses.
   *
   * @param preferredNodeId the holder of the chunks before, 0 for none
   * @param version only holders of this one, 0 for all
   * @param tried which holders not to choose, null for none
   * @return its place among the holders, or {@link #NONE}
   */
  int choose(
      final Holders holders,
      final ChunkKey key,
      final long preferredNodeId,
      final long version,
      final boolean @Nullable [] tried,
      final long nowNs) {
    final int count = holders.nodeIds().length;
    long bestNs = Long.MAX_VALUE;
    for (int i = 0; i < count; i++) {
      if (isEligible(holders, i, version, tried, nowNs)) {
        bestNs = Math.min(bestNs, costNs(holders, i, nowNs));
      }
    }
    final int start = (int) Long.remainderUnsigned(key.w3(), count);
    int chosen = NONE;
    for (int i = 0; i < count; i++) {
      final int at = (start + i) % count;
      if (isEligible(holders, at, version, tried, nowNs)
          && costNs(holders, at, nowNs) <= SLOWER_MAX * bestNs + SLACK_NS) {
        if (holders.nodeIds()[at] == preferredNodeId) {
          return at;
        }
        chosen = chosen == NONE ? at : chosen;
      }
    }
    return chosen;
  }

  private boolean isEligible(
      final Holders holders,
      final int at,
      final long version,
      final boolean @Nullable [] tried,
      final long nowNs) {
    return (tried == null || !tried[at])
        && (version == 0 || holders.versions()[at] == version)
        && peers.endpoint(holders.nodeIds()[at], nowNs) != null;
  }

  /** A holder of which nothing is known, or not any more, costs nothing: it is worth a try. */
  private long costNs(final Holders holders, final int at, final long nowNs) {
    final PullRates.Rate rate = rates.of(holders.nodeIds()[at]);
    return rate == null || !rate.isKnown() || nowNs - rate.askedNs() > STALE_NS
        ? 0
        : rate.estimateNs(holders.lengthBytes());
  }
}
