package io.kvasir.transport;

import io.aeron.ExclusivePublication;
import io.kvasir.transport.Counters.Counter;
import java.util.ArrayList;
import java.util.function.Consumer;
import org.agrona.DirectBuffer;
import org.agrona.collections.Long2ObjectHashMap;
import org.agrona.collections.LongArrayList;

/** The pulls of this node from one peer. Lane thread only. */
final class PullQueue {
  private final LaneContext context;
  private final Consumer<Pull> onEnded;
  private final ArrayList<Pull> pulls = new ArrayList<>();
  private final Long2ObjectHashMap<Pull> byTransfer = new Long2ObjectHashMap<>();
  private final LongArrayList cancelsDue = new LongArrayList();
  private boolean isSendDue;

  PullQueue(LaneContext context, Consumer<Pull> onEnded) {
    this.context = context;
    this.onEnded = onEnded;
  }

  boolean isEmpty() {
    return pulls.isEmpty();
  }

  void add(Pull pull) {
    pull.begin(context.newTransferId());
    pulls.add(pull);
    byTransfer.put(pull.transferId(), pull);
    isSendDue = true;
  }

  /** Sends what is due: requests, credits, cancels. */
  int doWork(ExclusivePublication control, long nowNs) {
    if (!isSendDue) {
      return 0;
    }
    while (!cancelsDue.isEmpty()) {
      int last = cancelsDue.size() - 1;
      if (!context.control.cancel(control, cancelsDue.getLong(last))) {
        return 0;
      }
      cancelsDue.removeAt(last);
    }
    for (int i = 0; i < pulls.size(); i++) {
      if (!send(control, pulls.get(i), nowNs)) {
        return 0;
      }
    }
    isSendDue = false;
    return 1;
  }

  private boolean send(ExclusivePublication control, Pull pull, long nowNs) {
    while (!pull.isRequested()) {
      if (!context.control.pullRequest(control, pull, nowNs)) {
        return false;
      }
    }
    if (pull.isCreditDue()) {
      if (!context.control.credit(control, pull.transferId(), pull.grantedBytes())) {
        return false;
      }
      pull.creditSent();
    }
    return true;
  }

  void onHeader(
      long transferId, int chunk, long version, int lengthBytes, int fromOffset, int crc32c) {
    Pull pull = byTransfer.get(transferId);
    if (pull != null && !pull.onHeader(chunk, version, lengthBytes, fromOffset, crc32c)) {
      breach(pull);
    }
  }

  void onSegment(
      long transferId,
      int chunk,
      long version,
      int offset,
      DirectBuffer term,
      int index,
      int lengthBytes) {
    Pull pull = byTransfer.get(transferId);
    if (pull == null) {
      context.counters.increment(Counter.SEGMENTS_IGNORED);
      return;
    }
    switch (pull.onSegment(chunk, version, offset, term, index, lengthBytes)) {
      case WRITTEN -> written(pull, lengthBytes);
      case CHUNK_ENDED -> ended(pull, Counter.CHUNKS_RECEIVED, lengthBytes);
      case CHUNK_CORRUPT -> ended(pull, Counter.CHUNKS_FAILED, lengthBytes);
      case IGNORED -> context.counters.increment(Counter.SEGMENTS_IGNORED);
      case BREACH -> breach(pull);
    }
  }

  private void ended(Pull pull, Counter outcome, int lengthBytes) {
    context.counters.increment(outcome);
    written(pull, lengthBytes);
    if (pull.isEnded()) {
      remove(pull);
    }
  }

  private void written(Pull pull, int lengthBytes) {
    context.counters.increment(Counter.SEGMENTS_RECEIVED);
    context.counters.add(Counter.BYTES_RECEIVED, lengthBytes);
    isSendDue |= pull.isCreditDue();
  }

  void onRefused(long transferId, int chunk, PullFailure reason, long version) {
    Pull pull = byTransfer.get(transferId);
    if (pull == null) {
      return;
    }
    if (chunk == ControlWriter.ALL_CHUNKS) {
      fail(pull, reason);
      return;
    }
    if (!pull.onRefused(chunk, reason, version)) {
      breach(pull);
      return;
    }
    context.counters.increment(Counter.CHUNKS_FAILED);
    if (pull.isEnded()) {
      remove(pull);
    }
  }

  /** Ends pulls that were cancelled or whose deadline passed. */
  void checkDeadlines(long nowNs) {
    for (int i = pulls.size() - 1; i >= 0; i--) {
      Pull pull = pulls.get(i);
      if (pull.isCancelRequested()) {
        abandon(pull, PullFailure.CANCELLED);
      } else if (nowNs - pull.request.deadlineNs() >= 0) {
        abandon(pull, PullFailure.DEADLINE);
      }
    }
  }

  /** Ends pulls that heard nothing for the silence limit; whether there were any. */
  boolean checkSilence(long nowNs, long lastInboundNs, PullFailure reason) {
    boolean any = false;
    for (int i = pulls.size() - 1; i >= 0; i--) {
      Pull pull = pulls.get(i);
      long sinceNs = lastInboundNs - pull.startNs > 0 ? lastInboundNs : pull.startNs;
      if (nowNs - sinceNs > context.silenceNs) {
        abandon(pull, reason);
        any = true;
      }
    }
    return any;
  }

  void failAll(PullFailure reason) {
    while (!pulls.isEmpty()) {
      fail(pulls.getLast(), reason);
    }
  }

  /** Takes out the pulls that nobody has answered, to start them again elsewhere. */
  void drainRetries(Consumer<Pull> again) {
    for (int i = pulls.size() - 1; i >= 0; i--) {
      Pull pull = pulls.get(i);
      if (pull.retry()) {
        byTransfer.remove(pull.transferId());
        pulls.remove(i);
        again.accept(pull);
      }
    }
  }

  private void breach(Pull pull) {
    context.counters.increment(Counter.PROTOCOL_ERRORS);
    abandon(pull, PullFailure.PROTOCOL);
  }

  private void abandon(Pull pull, PullFailure reason) {
    if (pull.chunksRequested() > 0) {
      cancelsDue.addLong(pull.transferId());
      isSendDue = true;
    }
    fail(pull, reason);
  }

  private void fail(Pull pull, PullFailure reason) {
    context.counters.add(Counter.CHUNKS_FAILED, pull.failAll(reason));
    remove(pull);
  }

  private void remove(Pull pull) {
    byTransfer.remove(pull.transferId());
    pulls.remove(pull);
    onEnded.accept(pull);
  }
}
