package io.kvasir.node.peer;

import io.kvasir.node.index.ClusterIndex;
import io.kvasir.node.index.ClusterMember;
import io.kvasir.node.index.IndexLink;
import io.kvasir.transport.Questions;
import io.kvasir.transport.Transport;
import org.agrona.DirectBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Carries what members ask each other about the index over the sessions of the transport.
 * Thread-safe; before {@link #connect} nothing is carried.
 */
public final class IndexQuestions implements IndexLink, Questions {
  private volatile @Nullable Transport transport;
  private volatile @Nullable ClusterIndex index;

  /** Sends through this transport, which was started with this object. */
  public void connect(final Transport started) {
    transport = started;
  }

  /** Hands what peers say to this index, which was started with this object. */
  public void connect(final ClusterIndex started) {
    index = started;
  }

  @Override
  public int bytesMax() {
    final Transport present = transport;
    return present == null ? 0 : present.noteBytesMax();
  }

  @Override
  public boolean ask(final ClusterMember member, final long questionId, final byte[] question) {
    final Transport present = transport;
    return present != null
        && present.ask(member.nodeId(), member.aeronEndpoint(), questionId, question);
  }

  @Override
  public void answer(final long nodeId, final long questionId, final byte[] part) {
    final Transport present = transport;
    if (present != null) {
      present.answer(nodeId, questionId, part);
    }
  }

  @Override
  public void asked(
      final long peerNodeId,
      final long questionId,
      final DirectBuffer buffer,
      final int offset,
      final int length) {
    final ClusterIndex present = index;
    if (present != null) {
      present.asked(peerNodeId, questionId, copy(buffer, offset, length));
    }
  }

  @Override
  public void answered(
      final long peerNodeId,
      final long questionId,
      final DirectBuffer buffer,
      final int offset,
      final int length) {
    final ClusterIndex present = index;
    if (present != null) {
      present.answered(peerNodeId, questionId, copy(buffer, offset, length));
    }
  }

  private static byte[] copy(final DirectBuffer buffer, final int offset, final int length) {
    final byte[] bytes = new byte[length];
    buffer.getBytes(offset, bytes);
    return bytes;
  }
}
