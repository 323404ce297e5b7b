package io.kvasir.node.engine;

import io.kvasir.connectors.protocol.CommitStatus;
import io.kvasir.connectors.protocol.CommittedBody;
import io.kvasir.connectors.protocol.FrameWriter;
import io.kvasir.node.peer.StoreEvents;
import io.kvasir.node.store.Store;
import io.kvasir.placement.ChunkKey;
import java.util.ArrayList;
import java.util.List;

/**
 * One COMMIT: answered when all its slots are committed or refused and, if the engine asked for it,
 * when the index names this node for all of them or a second has passed. Node agent only.
 */
final class CommitOperation {
  private static final int HEADER_BYTES = 8;
  private static final int ENTRY_BYTES = 16;

  private final EngineSession session;
  private final EngineInstance instance;
  private final EngineServices services;
  private final int correlationId;
  private final int[] slots;
  private final CommitStatus[] statuses;
  private final long[] versions;
  private final List<ChunkKey> unindexed = new ArrayList<>(0);
  private int uncommitted;
  private boolean answered;

  CommitOperation(
      final EngineSession session,
      final EngineInstance instance,
      final EngineServices services,
      final int correlationId,
      final int slots) {
    this.session = session;
    this.instance = instance;
    this.services = services;
    this.correlationId = correlationId;
    this.slots = new int[slots];
    this.statuses = new CommitStatus[slots];
    this.versions = new long[slots];
    this.uncommitted = slots;
  }

  /** The slot is not reserved by the engine for this space. */
  void refuse(final int index, final int slot) {
    slots[index] = slot;
    statuses[index] = CommitStatus.NOT_RESERVED;
    uncommitted--;
  }

  /** Starts to commit a slot. */
  void begin(final int index, final int slot, final boolean awaitIndex) {
    slots[index] = slot;
    statuses[index] = CommitStatus.FAILED;
    final Store store = services.store();
    if (awaitIndex) {
      final ChunkKey key = store.key(slot);
      unindexed.add(key);
      services.feed().awaitIndexed(key, () -> indexed(key));
    }
    store.commit(instance.owner, slot, services.events().register(new Committed(index)));
  }

  /** Sends the answer if nothing is awaited. */
  void answerIfDone() {
    if (uncommitted == 0 && unindexed.isEmpty()) {
      answer();
    }
  }

  /** Waits no longer for the index. */
  void indexTooLate() {
    if (uncommitted == 0) {
      answer();
    }
  }

  private void indexed(final ChunkKey key) {
    unindexed.remove(key);
    answerIfDone();
  }

  private void answer() {
    if (answered) {
      return;
    }
    answered = true;
    unindexed.forEach(services.feed()::forget);
    unindexed.clear();
    final FrameWriter out = session.answer(HEADER_BYTES + slots.length * ENTRY_BYTES);
    if (out == null) {
      return;
    }
    CommittedBody.begin(out, correlationId, slots.length);
    for (int i = 0; i < slots.length; i++) {
      CommittedBody.add(out, slots[i], statuses[i], versions[i]);
    }
    CommittedBody.end(out);
  }

  /** Waits until the checksum and the directory entry of a slot are written. */
  private final class Committed implements StoreEvents.Waiter {
    private final int index;

    private Committed(final int index) {
      this.index = index;
    }

    @Override
    public void committed(final int slot, final long version) {
      statuses[index] = CommitStatus.COMMITTED;
      versions[index] = version;
      uncommitted--;
      answerIfDone();
    }

    @Override
    public void commitFailed(final int slot, final int code) {
      final Store store = services.store();
      if (store.isReservedBy(instance.owner, slot)) {
        unindexed.remove(store.key(slot));
        services.feed().forget(store.key(slot));
        store.abort(instance.owner, slot);
      }
      uncommitted--;
      answerIfDone();
    }
  }
}
