package io.kvasir.transport;

import io.aeron.ExclusivePublication;
import io.kvasir.transport.Counters.Counter;
import java.util.ArrayList;
import java.util.function.Supplier;
import org.agrona.collections.LongArrayList;
import org.jspecify.annotations.Nullable;

/** The pulls of one peer that this node serves, each in its turn. Lane thread only. */
final class ServeQueue {
  private static final int REFUSALS_MAX = 64;

  private final LaneContext context;
  private final Supplier<@Nullable ExclusivePublication> data;
  private final ArrayList<Serve> serves = new ArrayList<>();
  private final LongArrayList overloadsDue = new LongArrayList();
  private final Turns turns = new Turns();
  private int next;
  private boolean isStuck;

  /**
   * An empty queue.
   *
   * @param data the data publication to the peer once it is usable; asking creates it.
   */
  ServeQueue(LaneContext context, Supplier<@Nullable ExclusivePublication> data) {
    this.context = context;
    this.data = data;
  }

  boolean isEmpty() {
    return serves.isEmpty();
  }

  @Nullable Serve find(long transferId) {
    for (int i = 0; i < serves.size(); i++) {
      if (serves.get(i).transferId == transferId) {
        return serves.get(i);
      }
    }
    return null;
  }

  /** Takes a new pull, or refuses it; null if it was refused. */
  @Nullable Serve begin(Session session, Serve.Head head, long grantedBytes) {
    if (!context.shares.beginServe(head.trafficClass())) {
      // Beyond the limit of refusals a peer that floods us hears nothing; its deadlines pass.
      if (overloadsDue.size() < REFUSALS_MAX) {
        overloadsDue.addLong(head.transferId());
      }
      return null;
    }
    Serve serve = new Serve(session, head, grantedBytes, context.source, context.wake);
    serves.add(serve);
    return serve;
  }

  void cancel(long transferId) {
    Serve serve = find(transferId);
    if (serve != null) {
      end(serve);
    }
  }

  /**
   * One turn: one message of one pull, as the driver sends one datagram in a turn. A lead over it
   * would only grow, until the socket reads what has left the cache.
   */
  int doWork(ExclusivePublication control) {
    while (!overloadsDue.isEmpty()) {
      int last = overloadsDue.size() - 1;
      long transferId = overloadsDue.getLong(last);
      if (!context.control.refused(
          control, transferId, ControlWriter.ALL_CHUNKS, PullFailure.OVERLOADED, 0)) {
        return 0;
      }
      overloadsDue.removeAt(last);
    }
    isStuck = false;
    TrafficClass first = turns.first();
    if (advanceOne(first, control)) {
      return 1;
    }
    if (isStuck) {
      return 0; // the stream takes nothing now: the turn stays theirs
    }
    turns.passed(first);
    TrafficClass second = first == TrafficClass.DEMAND ? TrafficClass.HANDOFF : TrafficClass.DEMAND;
    return advanceOne(second, control) ? 1 : 0;
  }

  private boolean advanceOne(TrafficClass trafficClass, ExclusivePublication control) {
    for (int tried = serves.size(); tried > 0 && !isStuck; tried--) {
      next = next + 1 < serves.size() ? next + 1 : 0;
      Serve serve = serves.get(next);
      if (serve.trafficClass == trafficClass) {
        boolean isAdvanced = serve.isComplete() && advance(serve, control);
        if (serve.isEnded()) {
          end(serve);
        }
        if (isAdvanced) {
          return true;
        }
      }
    }
    return false;
  }

  private boolean advance(Serve serve, ExclusivePublication control) {
    if (serve.isEnded()) {
      return false;
    }
    return switch (serve.state()) {
      case Serve.REFUSED -> refuse(serve, control, serve.reason(), 0);
      case Serve.FOUND -> serve.isHeaderSent() ? sendSegment(serve) : open(serve, control);
      default -> false;
    };
  }

  private boolean open(Serve serve, ExclusivePublication control) {
    PullFailure mismatch = serve.mismatch();
    if (mismatch != null) {
      return refuse(serve, control, mismatch, serve.foundVersion());
    }
    ExclusivePublication to = data.get();
    if (to == null || !context.data.chunkHeader(to, serve)) {
      return false;
    }
    serve.headerSent();
    return true;
  }

  private boolean sendSegment(Serve serve) {
    ExclusivePublication to = data.get();
    if (to == null) {
      return false;
    }
    long bytes = Math.min(DataWriter.payloadMax(to), serve.lengthBytes() - serve.offset());
    int length = (int) Math.min(bytes, serve.creditLeft());
    if (length <= 0 || !context.shares.mayGo(serve.trafficClass)) {
      return false;
    }
    if (!context.data.segment(to, serve, length)) {
      isStuck = true;
      return false;
    }
    context.shares.went(serve.trafficClass, length);
    turns.went(serve.trafficClass, length);
    context.counters.increment(Counter.SEGMENTS_SENT);
    context.counters.add(Counter.BYTES_SENT, length);
    if (serve.sent(length)) {
      context.counters.increment(Counter.CHUNKS_SENT);
      serve.nextChunk();
    }
    return true;
  }

  private boolean refuse(
      Serve serve, ExclusivePublication control, PullFailure reason, long version) {
    if (!context.control.refused(control, serve.transferId, serve.chunk(), reason, version)) {
      return false;
    }
    context.counters.increment(Counter.CHUNKS_REFUSED);
    serve.nextChunk();
    return true;
  }

  /** Ends pulls whose reader no longer waits. */
  void checkDeadlines(long nowNs) {
    for (int i = serves.size() - 1; i >= 0; i--) {
      if (nowNs - serves.get(i).deadlineNs >= 0) {
        end(serves.get(i));
      }
    }
  }

  void endAll() {
    while (!serves.isEmpty()) {
      end(serves.getLast());
    }
    overloadsDue.clear();
  }

  private void end(Serve serve) {
    serve.end();
    if (serves.remove(serve)) {
      context.shares.endServe(serve.trafficClass);
    }
  }
}
