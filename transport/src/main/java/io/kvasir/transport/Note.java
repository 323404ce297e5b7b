package io.kvasir.transport;

import org.jspecify.annotations.Nullable;

/**
 * A question or an answer on its way out.
 *
 * @param endpoint where to dial the peer if there is no session; null for an answer, which goes
 *     nowhere then.
 * @param body never changed after it was handed over.
 */
@SuppressWarnings("ArrayRecordComponent") // handed over once, never compared
record Note(long peerNodeId, @Nullable String endpoint, long questionId, byte[] body) {
  boolean isQuestion() {
    return endpoint != null;
  }
}
