package io.kvasir.node.peer;

import io.kvasir.node.index.ClusterMember;
import java.util.List;

/** What this node knows of the way to each other member. Node agent only. */
public final class Links {
  private static final double NANOS_PER_SECOND = 1e9;
  private static final double NANOS_PER_MICRO = 1e3;

  private final PeerTable peers;
  private final PullRates rates;

  public Links(final PeerTable peers, final PullRates rates) {
    this.peers = peers;
    this.rates = rates;
  }

  /**
   * One member.
   *
   * @param breaker CLOSED, OPEN (not asked) or HALF_OPEN (asked once)
   * @param bytesPerSecond at which its chunks came of late, 0 before any has
   * @param startUs microseconds until they began to come
   * @param bytesOnTheWay asked for and not here yet
   */
  public record Link(
      long nodeId, String breaker, long bytesPerSecond, long startUs, long bytesOnTheWay) {}

  /** All other members. */
  public List<Link> all() {
    return peers.all().stream()
        .filter(member -> !member.local())
        .map(ClusterMember::nodeId)
        .map(this::link)
        .toList();
  }

  private Link link(final long nodeId) {
    final PullRates.Rate rate = rates.of(nodeId);
    final String breaker = peers.breaker(nodeId).name();
    return rate == null || !rate.isKnown()
        ? new Link(nodeId, breaker, 0, 0, rate == null ? 0 : rate.bytesOnTheWay())
        : new Link(
            nodeId,
            breaker,
            Math.round(NANOS_PER_SECOND / rate.nsPerByte()),
            Math.round(rate.startNs() / NANOS_PER_MICRO),
            rate.bytesOnTheWay());
  }
}
