package io.kvasir.node.peer;

import java.util.Arrays;
import java.util.function.LongPredicate;
import org.agrona.collections.Long2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * How fast the chunks of each peer came of late, to estimate what the next ones will take: moving
 * averages of the time until the first chunk starts (latency, and what the peer had to do before)
 * and of the time per byte after it, and the bytes that are on their way. Node agent only.
 */
public final class PullRates {
  static final long UNKNOWN_NS = -1;

  /** Of a new sample; the last ten or so count. */
  private static final double WEIGHT = 0.2;

  /** Of a sample that proves the average wrong: a chunk cannot take longer than it took. */
  private static final double PROOF_WEIGHT = 0.5;

  private static final double UNKNOWN = -1;

  /** Transfers of which the longest wait is remembered, and the fewest that say something. */
  private static final int WAITS = 64;

  private static final int WAITS_MIN = 20;
  private static final double USUAL = 0.95;

  private final Long2ObjectHashMap<Rate> rates = new Long2ObjectHashMap<>();

  /** What is known of one peer. */
  static final class Rate {
    private double nsPerByte = UNKNOWN;
    private double startNs;
    private long bytesOnTheWay;
    private long askedNs;
    private final long[] waits = new long[WAITS];
    private int waitCount;

    /** Whether anything has come, or was late. */
    boolean isKnown() {
      return nsPerByte != UNKNOWN;
    }

    /** Of one byte, once the peer sends. */
    double nsPerByte() {
      return nsPerByte;
    }

    /** Until the peer sends. */
    double startNs() {
      return startNs;
    }

    long bytesOnTheWay() {
      return bytesOnTheWay;
    }

    /** When the peer was last asked for something. */
    long askedNs() {
      return askedNs;
    }

    private void waited(final long ns) {
      waits[waitCount++ % WAITS] = ns;
    }

    /** What 19 of 20 transfers did not wait longer for any chunk, or UNKNOWN_NS. */
    private long usualWaitNs() {
      if (waitCount < WAITS_MIN) {
        return UNKNOWN_NS;
      }
      final long[] sorted = Arrays.copyOf(waits, Math.min(waitCount, WAITS));
      Arrays.sort(sorted);
      return sorted[(int) Math.ceil(USUAL * sorted.length) - 1];
    }

    long estimateNs(final long bytes) {
      return Math.round(startNs + (bytesOnTheWay + bytes) * nsPerByte);
    }
  }

  /** Some chunks asked of one peer by one message, which come one after another. */
  static final class Transfer {
    private final Rate rate;
    private final long askedNs;
    private final long usualWaitNs;
    private boolean isFirst = true;
    private long progressNs;
    private long longestWaitNs;
    private long bytesOpen;
    private long firstNs;
    private long bytesAfterFirst;
    private boolean isLate;

    private Transfer(final Rate rate, final long bytes, final long nowNs) {
      this.rate = rate;
      this.askedNs = nowNs;
      this.progressNs = nowNs;
      this.bytesOpen = bytes;
      this.usualWaitNs = rate.usualWaitNs();
    }

    /** When it began, or the last chunk came. */
    long progressNs() {
      return progressNs;
    }

    /** What 19 of 20 transfers of late did not wait longer for a chunk, or UNKNOWN_NS. */
    long usualWaitNs() {
      return usualWaitNs;
    }

    /** A chunk, or what was missing of it, is here. */
    void arrived(final long bytes, final long nowNs) {
      longestWaitNs = Math.max(longestWaitNs, nowNs - progressNs);
      progressNs = nowNs;
      learn(bytes, nowNs);
      ended(bytes);
    }

    private void ended(final long bytes) {
      rate.bytesOnTheWay -= bytes;
      bytesOpen -= bytes;
      if (bytesOpen == 0 && !isFirst) {
        rate.waited(longestWaitNs);
      }
    }

    private void learn(final long bytes, final long nowNs) {
      if (!isFirst) {
        // Since the first, not since the last: this thread may learn of several at once.
        bytesAfterFirst += bytes;
        rate.nsPerByte =
            average(rate.nsPerByte, (nowNs - firstNs) / (double) bytesAfterFirst, WEIGHT);
        return;
      }
      isFirst = false;
      firstNs = nowNs;
      final double tookNs = nowNs - askedNs;
      if (tookNs < bytes * rate.nsPerByte) {
        rate.nsPerByte = average(rate.nsPerByte, tookNs / bytes, PROOF_WEIGHT);
      }
      if (rate.isKnown()) {
        final double startNs = Math.max(0, tookNs - bytes * rate.nsPerByte);
        rate.startNs =
            average(rate.startNs, startNs, tookNs < rate.startNs ? PROOF_WEIGHT : WEIGHT);
      } else {
        rate.nsPerByte = tookNs / bytes;
      }
    }

    /**
     * Time was up before a chunk, or the rest of it, was here: what is missing takes at least that
     * long. Told for each chunk that is missing; they were late together, and teach once.
     */
    void late(final long bytes, final long nowNs) {
      final long bytesLate = (isFirst ? 0 : bytesAfterFirst) + bytesOpen;
      lost(bytes);
      if (isLate) {
        return;
      }
      isLate = true;
      final double atLeast = (nowNs - (isFirst ? askedNs : firstNs)) / (double) bytesLate;
      if (atLeast > rate.nsPerByte) {
        rate.nsPerByte = average(rate.nsPerByte, atLeast, PROOF_WEIGHT);
      }
    }

    /** A chunk, or the rest of it, will not come. */
    void lost(final long bytes) {
      ended(bytes);
    }

    private static double average(final double before, final double sample, final double weight) {
      return before == UNKNOWN ? sample : before + weight * (sample - before);
    }
  }

  /** So many bytes are asked of a peer now. */
  Transfer begin(final long nodeId, final long bytes, final long nowNs) {
    final Rate rate = rates.computeIfAbsent(nodeId, _ -> new Rate());
    rate.bytesOnTheWay += bytes;
    rate.askedNs = nowNs;
    return new Transfer(rate, bytes, nowNs);
  }

  /** What is known of the peer, or null before it was first asked. */
  @Nullable Rate of(final long nodeId) {
    return rates.get(nodeId);
  }

  /** What it would take to get so many bytes from the peer now, or {@link #UNKNOWN_NS}. */
  long estimateNs(final long nodeId, final long bytes) {
    final Rate rate = rates.get(nodeId);
    return rate == null || !rate.isKnown() ? UNKNOWN_NS : rate.estimateNs(bytes);
  }

  /** Forgets the peers that are gone. */
  void retain(final LongPredicate isPresent) {
    rates.keySet().removeIfLong(nodeId -> !isPresent.test(nodeId));
  }
}
