package io.kvasir.transport;

/**
 * Whose turn it is at one peer, whose stream both classes of traffic share: demand pulls get four
 * bytes for each one of hand-offs. A class that has nothing to send when its turn comes saves up
 * nothing. Lane thread only; allocates nothing.
 */
final class Turns {
  static final int DEMAND_WORK_PER_BYTE = 1;
  static final int HANDOFF_WORK_PER_BYTE = 4;

  private long demandWork;
  private long handoffWork;

  /** The class that is to be tried first. */
  TrafficClass first() {
    return demandWork - handoffWork <= 0 ? TrafficClass.DEMAND : TrafficClass.HANDOFF;
  }

  /** Bytes of a class went. */
  void went(TrafficClass trafficClass, int bytes) {
    switch (trafficClass) {
      case DEMAND -> demandWork += (long) bytes * DEMAND_WORK_PER_BYTE;
      case HANDOFF -> handoffWork += (long) bytes * HANDOFF_WORK_PER_BYTE;
    }
  }

  /** It was the turn of this class, and it had nothing to send. */
  void passed(TrafficClass trafficClass) {
    switch (trafficClass) {
      case DEMAND -> demandWork = handoffWork;
      case HANDOFF -> handoffWork = demandWork;
    }
  }
}
