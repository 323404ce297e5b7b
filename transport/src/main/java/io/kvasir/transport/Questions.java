package io.kvasir.transport;

import org.agrona.DirectBuffer;

/**
 * Takes the short questions and answers that nodes send each other beside pulls; what they say is
 * the business of whoever asks. They may be lost: nothing is sent again when a session ends.
 * Methods are called on the lane thread, which serves every peer: the body is to be copied in the
 * call, and the work done elsewhere.
 */
public interface Questions {
  /** A peer asks; {@link Transport#answer} takes its node id and the question's id. */
  void asked(long peerNodeId, long questionId, DirectBuffer buffer, int offset, int length);

  /** A peer answered, perhaps in several parts, perhaps long after the asker lost interest. */
  void answered(long peerNodeId, long questionId, DirectBuffer buffer, int offset, int length);
}
