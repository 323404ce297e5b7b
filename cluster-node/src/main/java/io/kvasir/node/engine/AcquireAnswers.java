package io.kvasir.node.engine;

import io.kvasir.connectors.protocol.AcquireEndBody;
import io.kvasir.connectors.protocol.AcquiredBody;
import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.connectors.protocol.FrameWriter;
import io.kvasir.connectors.protocol.ReadyBody;
import io.kvasir.node.peer.AcquireListener;
import io.kvasir.node.peer.AcquireOperation;
import io.kvasir.node.store.Store;

/**
 * Turns the progress of an acquisition into frames.
 *
 * @param correlationId of the ACQUIRE or AWAIT
 * @param isAwait which of the two it answers
 */
record AcquireAnswers(EngineSession session, Store store, int correlationId, boolean isAwait)
    implements AcquireListener {
  private static final int READY_HEADER_BYTES = 16;
  private static final int READY_ENTRY_BYTES = 32;

  @Override
  public void acquired(final AcquireOperation operation, final int chunks) {
    final FrameWriter out = session.answer();
    if (out == null) {
      return;
    }
    if (isAwait) {
      AcquiredBody.encodeAwaited(out, correlationId, operation.id(), chunks);
    } else {
      AcquiredBody.encode(out, correlationId, operation.id(), chunks);
    }
  }

  @Override
  public void ready(final AcquireOperation operation, final int firstIndex, final int count) {
    final FrameWriter out = session.answer(READY_HEADER_BYTES + count * READY_ENTRY_BYTES);
    if (out == null) {
      return;
    }
    ReadyBody.begin(out, operation.id(), firstIndex, count);
    for (int i = firstIndex; i < firstIndex + count; i++) {
      final int slot = operation.slot(i);
      ReadyBody.add(
          out,
          slot,
          store.segment(slot),
          store.segmentOffset(slot),
          store.lengthBytes(slot),
          operation.source(i),
          store.version(slot));
    }
    ReadyBody.end(out);
  }

  @Override
  public void ended(
      final AcquireOperation operation, final int readyChunks, final EndReason reason) {
    final FrameWriter out = session.answer();
    if (out != null) {
      AcquireEndBody.encode(out, operation.id(), readyChunks, reason);
    }
  }
}
