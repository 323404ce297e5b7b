package io.kvasir.transport;

import org.agrona.DirectBuffer;

/**
 * Takes the short messages that nodes send each other beside pulls; what they say is the business
 * of whoever sends them. Questions and answers may be lost. Remarks belong to one session: those of
 * a session arrive in order and none is left out, until it ends.
 *
 * <p>Methods are called on the lane thread, which serves every peer: the body is to be copied in
 * the call, and the work done elsewhere.
 */
public interface Questions {
  /** A peer asks; {@link Transport#answer} takes its node id and the question's id. */
  void asked(long peerNodeId, long questionId, DirectBuffer buffer, int offset, int length);

  /** A peer answered, perhaps in several parts, perhaps long after the asker lost interest. */
  void answered(long peerNodeId, long questionId, DirectBuffer buffer, int offset, int length);

  /** A session with the peer is open: remarks may go both ways. */
  default void opened(long peerNodeId) {}

  /** The peer sent a remark over the open session. */
  default void remarked(long peerNodeId, DirectBuffer buffer, int offset, int length) {}

  /** The open session with the peer is over, and all that was said in it. */
  default void closed(long peerNodeId) {}

  /** A peer says something of a hand-off. */
  default void told(long peerNodeId, long handoffId, DirectBuffer buffer, int offset, int length) {}
}
