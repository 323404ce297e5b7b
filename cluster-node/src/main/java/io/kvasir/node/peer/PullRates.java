package io.kvasir.node.peer;

import java.util.function.LongPredicate;
import org.agrona.collections.Long2ObjectHashMap;

/**
 * How fast the chunks of each peer came of late, to estimate what the next ones will take: moving
 * averages of the time until the first chunk starts and of the time per byte after it, and the
 * bytes that are on their way. Node agent only.
 */
final class PullRates {
  static final long UNKNOWN_NS = -1;

  /** Of a new sample; the last ten or so count. */
  private static final double WEIGHT = 0.2;

  private static final double UNKNOWN = -1;

  private final Long2ObjectHashMap<Rate> rates = new Long2ObjectHashMap<>();

  private static final class Rate {
    private double nsPerByte = UNKNOWN;
    private double startNs;
    private long bytesOnTheWay;
  }

  /** Some chunks asked of one peer by one message, which come one after another. */
  static final class Transfer {
    private final Rate rate;
    private final long askedNs;
    private boolean isFirst = true;
    private long firstNs;
    private long bytesAfterFirst;

    private Transfer(final Rate rate, final long nowNs) {
      this.rate = rate;
      this.askedNs = nowNs;
    }

    /** A chunk, or what was missing of it, is here. */
    void arrived(final long bytes, final long nowNs) {
      rate.bytesOnTheWay -= bytes;
      if (!isFirst) {
        // Since the first, not since the last: this thread may learn of several at once.
        bytesAfterFirst += bytes;
        rate.nsPerByte = average(rate.nsPerByte, (nowNs - firstNs) / (double) bytesAfterFirst);
        return;
      }
      isFirst = false;
      firstNs = nowNs;
      final double tookNs = nowNs - askedNs;
      if (rate.nsPerByte == UNKNOWN) {
        rate.nsPerByte = tookNs / bytes;
      } else {
        rate.startNs = average(rate.startNs, Math.max(0, tookNs - bytes * rate.nsPerByte));
      }
    }

    /** A chunk, or the rest of it, will not come. */
    void lost(final long bytes) {
      rate.bytesOnTheWay -= bytes;
    }

    private static double average(final double before, final double sample) {
      return before == UNKNOWN ? sample : before + WEIGHT * (sample - before);
    }
  }

  /** So many bytes are asked of a peer now. */
  Transfer begin(final long nodeId, final long bytes, final long nowNs) {
    final Rate rate = rates.computeIfAbsent(nodeId, _ -> new Rate());
    rate.bytesOnTheWay += bytes;
    return new Transfer(rate, nowNs);
  }

  /** What it would take to get so many bytes from the peer now, or {@link #UNKNOWN_NS}. */
  long estimateNs(final long nodeId, final long bytes) {
    final Rate rate = rates.get(nodeId);
    return rate == null || rate.nsPerByte == UNKNOWN
        ? UNKNOWN_NS
        : Math.round(rate.startNs + (rate.bytesOnTheWay + bytes) * rate.nsPerByte);
  }

  /** Forgets the peers that are gone. */
  void retain(final LongPredicate isPresent) {
    rates.keySet().removeIfLong(nodeId -> !isPresent.test(nodeId));
  }
}
