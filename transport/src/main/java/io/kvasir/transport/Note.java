package io.kvasir.transport;

import org.jspecify.annotations.Nullable;

/**
 * A question, an answer or a remark on its way out.
 *
 * @param endpoint where to dial the peer if there is no session; null for all but questions, which
 *     go nowhere then.
 * @param questionId 0 for a remark.
 * @param body never changed after it was handed over.
 */
@SuppressWarnings("ArrayRecordComponent") // handed over once, never compared
record Note(Kind kind, long peerNodeId, @Nullable String endpoint, long questionId, byte[] body) {
  /** Which message carries it. */
  enum Kind {
    QUESTION,
    ANSWER,
    REMARK
  }
}
