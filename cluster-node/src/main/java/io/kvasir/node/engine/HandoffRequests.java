package io.kvasir.node.engine;

import io.kvasir.connectors.protocol.CommitSliceBody;
import io.kvasir.connectors.protocol.CreateHandoffBody;
import io.kvasir.connectors.protocol.EndHandoffBody;
import io.kvasir.connectors.protocol.ErrorCode;
import io.kvasir.connectors.protocol.Frame;
import io.kvasir.connectors.protocol.FrameWriter;
import io.kvasir.connectors.protocol.HandoffCreatedBody;
import io.kvasir.connectors.protocol.HandoffEndedBody;
import io.kvasir.connectors.protocol.Protocol;
import io.kvasir.connectors.protocol.SliceCommittedBody;
import io.kvasir.connectors.protocol.SliceStatus;
import io.kvasir.node.peer.ChunkRun;
import io.kvasir.node.peer.Handoffs;
import io.kvasir.node.peer.OutboundHandoff;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Answers the requests of engines that prefill for other nodes. Node agent only. */
final class HandoffRequests {
  private static final int LIST_HEADER_BYTES = 16;
  private static final int SLICE_ENTRY_BYTES = 16;

  private final Handoffs handoffs;
  private final CreateHandoffBody create = new CreateHandoffBody();
  private final CommitSliceBody slices = new CommitSliceBody();
  private final EndHandoffBody end = new EndHandoffBody();

  HandoffRequests(final Handoffs handoffs) {
    this.handoffs = handoffs;
  }

  void create(final EngineSession session, final EngineInstance instance, final Frame frame) {
    create.wrap(frame);
    final ChunkRun run = EngineRequests.run(session, create.prefix());
    final long id = create.handoffId();
    if (handoffs.isCreated(id)) {
      throw inUse(id);
    }
    if (!handoffs.mayCreate()) {
      throw new RefusedException(ErrorCode.TOO_MANY, "open hand-offs");
    }
    final int chunkBytes = run.space().chunkBytes();
    if (create.prefix().count() != run.length()
        || !Handoffs.isWithinLimits(run.length(), chunkBytes, create.sliceBytes())) {
      throw new RefusedException(
          ErrorCode.INVALID_ARGUMENT,
          "chunks=" + create.prefix().count() + " sliceBytes=" + create.sliceBytes());
    }
    final long[] receivers = new long[create.receivers()];
    Arrays.setAll(receivers, create::receiver);
    final int told =
        handoffs.create(
            id,
            instance.owner,
            run,
            Math.min(create.sliceBytes(), chunkBytes),
            receivers,
            TimeUnit.MILLISECONDS.toNanos(create.deadlineMs()));
    final FrameWriter out = session.answer();
    if (out != null) {
      HandoffCreatedBody.encode(out, frame.correlationId(), id, told);
    }
  }

  void commitSlices(final EngineSession session, final EngineInstance instance, final Frame frame) {
    slices.wrap(frame);
    final OutboundHandoff handoff = handoffs.find(slices.handoffId(), instance.owner);
    final SliceCommit operation =
        new SliceCommit(
            session, handoff, frame.correlationId(), slices.handoffId(), slices.count());
    for (int i = 0; i < slices.count(); i++) {
      final int slot = slices.slot(i);
      operation.slots[i] = slot;
      operation.statuses[i] = begin(handoff, instance, slot, slices.slice(i), i, operation);
    }
    operation.answerIfDone();
  }

  /** The status at once, which is COMMITTED as long as the checksum is being taken. */
  private static SliceStatus begin(
      final @Nullable OutboundHandoff handoff,
      final EngineInstance instance,
      final int slot,
      final int slice,
      final int index,
      final SliceCommit operation) {
    if (handoff == null) {
      return SliceStatus.GONE;
    }
    if (!handoff.owns(slot)) {
      if (instance.reservedSlots.get(slot) != handoff.spaceId() || !handoff.take(slot)) {
        return SliceStatus.NOT_RESERVED;
      }
      instance.reservedSlots.remove(slot);
    }
    operation.unknown++;
    if (handoff.commit(slot, slice, index, operation)) {
      return SliceStatus.COMMITTED;
    }
    operation.unknown--;
    return SliceStatus.FAILED;
  }

  void end(final EngineSession session, final EngineInstance instance, final Frame frame) {
    final long id = end.wrap(frame).handoffId();
    final boolean isCancel = (frame.flags() & Protocol.FLAG_CANCEL) != 0;
    final boolean isKnown =
        isCancel ? handoffs.cancel(id, instance.owner) : handoffs.end(id, instance.owner);
    final FrameWriter out = session.answer();
    if (out != null) {
      HandoffEndedBody.encode(out, frame.correlationId(), id, isKnown);
    }
  }

  static RefusedException inUse(final long id) {
    return new RefusedException(ErrorCode.HANDOFF_IN_USE, "handoffId=" + Long.toUnsignedString(id));
  }

  /** One COMMIT_SLICE: answered when the checksums of all its slices are known. */
  private static final class SliceCommit implements OutboundHandoff.SliceListener {
    private final EngineSession session;
    private final @Nullable OutboundHandoff handoff;
    private final int correlationId;
    private final long id;
    private final int[] slots;
    private final SliceStatus[] statuses;
    private final long[] versions;
    private int unknown;

    private SliceCommit(
        final EngineSession session,
        final @Nullable OutboundHandoff handoff,
        final int correlationId,
        final long id,
        final int count) {
      this.session = session;
      this.handoff = handoff;
      this.correlationId = correlationId;
      this.id = id;
      this.slots = new int[count];
      this.statuses = new SliceStatus[count];
      this.versions = new long[count];
    }

    @Override
    public void committed(final int index, final long version) {
      versions[index] = version;
      unknown--;
      answerIfDone();
    }

    @Override
    public void failed(final int index) {
      statuses[index] = SliceStatus.FAILED;
      unknown--;
      answerIfDone();
    }

    private void answerIfDone() {
      if (unknown > 0) {
        return;
      }
      final FrameWriter out = session.answer(LIST_HEADER_BYTES + slots.length * SLICE_ENTRY_BYTES);
      if (out == null) {
        return;
      }
      final int receivers = handoff == null ? 0 : handoff.receivers();
      SliceCommittedBody.begin(out, correlationId, id, slots.length, receivers);
      for (int i = 0; i < slots.length; i++) {
        SliceCommittedBody.add(out, slots[i], statuses[i], versions[i]);
      }
      SliceCommittedBody.end(out);
    }
  }
}
