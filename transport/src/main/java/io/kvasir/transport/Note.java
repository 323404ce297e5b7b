package io.kvasir.transport;

import org.jspecify.annotations.Nullable;

/**
 * A question, an answer, a remark or a word on a hand-off, on its way out.
 *
 * @param endpoint where to dial the peer if there is no session; null if it goes nowhere then.
 * @param id of the question or the hand-off, 0 for a remark.
 * @param body never changed after it was handed over.
 */
@SuppressWarnings("ArrayRecordComponent") // handed over once, never compared
record Note(Kind kind, long peerNodeId, @Nullable String endpoint, long id, byte[] body) {
  /** Which message carries it. */
  enum Kind {
    QUESTION,
    ANSWER,
    REMARK,
    HANDOFF
  }
}
