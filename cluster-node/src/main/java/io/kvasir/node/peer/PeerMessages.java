package io.kvasir.node.peer;

import io.kvasir.transport.Questions;
import org.agrona.DirectBuffer;

/** Hands what peers say over their sessions to the part of the node that it concerns. */
public final class PeerMessages implements Questions {
  private final IndexQuestions index;
  private final Neighbours neighbours;
  private final Handoffs handoffs;

  public PeerMessages(
      final IndexQuestions index, final Neighbours neighbours, final Handoffs handoffs) {
    this.index = index;
    this.neighbours = neighbours;
    this.handoffs = handoffs;
  }

  @Override
  public void asked(
      final long peerNodeId,
      final long questionId,
      final DirectBuffer buffer,
      final int offset,
      final int length) {
    index.asked(peerNodeId, questionId, buffer, offset, length);
  }

  @Override
  public void answered(
      final long peerNodeId,
      final long questionId,
      final DirectBuffer buffer,
      final int offset,
      final int length) {
    index.answered(peerNodeId, questionId, buffer, offset, length);
  }

  @Override
  public void opened(final long peerNodeId) {
    neighbours.opened(peerNodeId);
  }

  @Override
  public void remarked(
      final long peerNodeId, final DirectBuffer buffer, final int offset, final int length) {
    neighbours.remarked(peerNodeId, buffer, offset, length);
  }

  @Override
  public void closed(final long peerNodeId) {
    neighbours.closed(peerNodeId);
  }

  @Override
  public void told(
      final long peerNodeId,
      final long handoffId,
      final DirectBuffer buffer,
      final int offset,
      final int length) {
    handoffs.told(peerNodeId, handoffId, buffer, offset, length);
  }
}
