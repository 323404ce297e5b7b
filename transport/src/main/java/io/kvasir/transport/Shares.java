package io.kvasir.transport;

import io.kvasir.transport.Counters.Counter;

/**
 * What each class of traffic may take of this lane: its own places for pulls that are served, its
 * own cap, and its part of what is sent while both have something to send, to whichever peers: the
 * one that {@link Turns} gives it at each of them. Whoever is alone gets all.
 *
 * <p>A class counts what it has sent, divided by its weight, and waits while it is ahead of another
 * one that could send (start-time fair queueing: Goyal, Vin, Cheng, 1996). One that had nothing to
 * send begins level with the other and has saved up nothing. A class whose readers take nothing
 * more holds up nobody. Lane thread only; allocates nothing.
 */
final class Shares {
  private final Share demand;
  private final Share handoff;
  private final int servesMax;
  private final Counters counters;

  private static final class Share {
    private final RateCap cap;
    private final int workPerByte;
    private int serves;
    private long work;
    private boolean isReady;
    private boolean wasReady;

    private Share(RateCap cap, int workPerByte) {
      this.cap = cap;
      this.workPerByte = workPerByte;
    }

    private void beginTurn(long nowNs) {
      cap.fill(nowNs);
      wasReady = isReady;
      isReady = false;
    }

    private boolean couldSend() {
      return isReady || wasReady;
    }
  }

  Shares(TransportConfig config, Counters counters, long nowNs) {
    this.demand =
        new Share(new RateCap(config.demandBytesPerSecond(), nowNs), Turns.DEMAND_WORK_PER_BYTE);
    this.handoff =
        new Share(new RateCap(config.handoffBytesPerSecond(), nowNs), Turns.HANDOFF_WORK_PER_BYTE);
    this.servesMax = config.maxServesInFlight();
    this.counters = counters;
  }

  /** Once a turn, before anything is sent. */
  void beginTurn(long nowNs) {
    demand.beginTurn(nowNs);
    handoff.beginTurn(nowNs);
  }

  /** Takes one of the places that the class has for serves; false if there is none left. */
  boolean beginServe(TrafficClass trafficClass) {
    Share share = share(trafficClass);
    if (share.serves == servesMax) {
      return false;
    }
    share.serves++;
    counters.increment(Counter.SERVES_STARTED);
    counters.set(Counter.SERVES_IN_FLIGHT, servesInFlight());
    return true;
  }

  void endServe(TrafficClass trafficClass) {
    share(trafficClass).serves--;
    counters.set(Counter.SERVES_IN_FLIGHT, servesInFlight());
  }

  int servesInFlight() {
    return demand.serves + handoff.serves;
  }

  /** Whether a segment of this class may go now; there is one. */
  boolean mayGo(TrafficClass trafficClass) {
    Share share = share(trafficClass);
    Share other = share == demand ? handoff : demand;
    if (!share.cap.isOpen()) {
      return false;
    }
    if (!share.couldSend() && share.work - other.work < 0) {
      share.work = other.work;
    }
    boolean mayGo = !other.couldSend() || share.work - other.work <= 0;
    // One whose stream takes nothing does not count as ready; that shows only when it is tried.
    share.isReady |= !mayGo;
    return mayGo;
  }

  /** The segment went. */
  void went(TrafficClass trafficClass, int bytes) {
    Share share = share(trafficClass);
    share.cap.sent(bytes);
    share.work += (long) bytes * share.workPerByte;
    share.isReady = true;
  }

  private Share share(TrafficClass trafficClass) {
    return switch (trafficClass) {
      case DEMAND -> demand;
      case HANDOFF -> handoff;
    };
  }
}
