package io.kvasir.transport;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.agrona.DirectBuffer;
import org.jspecify.annotations.Nullable;

/** Answers every question with its own body, in two parts, and remembers what it hears. */
final class TestQuestions implements Questions {
  /** What arrived. */
  record Heard(long peerNodeId, long questionId, List<Byte> body) {}

  final List<Heard> asked = new CopyOnWriteArrayList<>();
  final List<Heard> answered = new CopyOnWriteArrayList<>();
  final List<Heard> remarked = new CopyOnWriteArrayList<>();
  final List<Long> opened = new CopyOnWriteArrayList<>();
  final List<Long> closed = new CopyOnWriteArrayList<>();
  final List<Heard> told = new CopyOnWriteArrayList<>();
  private volatile @Nullable Transport transport;

  void connect(Transport started) {
    transport = started;
  }

  @Override
  public void asked(long peerNodeId, long questionId, DirectBuffer buffer, int offset, int length) {
    byte[] body = copy(buffer, offset, length);
    asked.add(new Heard(peerNodeId, questionId, list(body)));
    Transport own = transport;
    if (own != null) {
      own.answer(peerNodeId, questionId, Arrays.copyOf(body, length / 2));
      own.answer(peerNodeId, questionId, Arrays.copyOfRange(body, length / 2, length));
    }
  }

  @Override
  public void answered(
      long peerNodeId, long questionId, DirectBuffer buffer, int offset, int length) {
    answered.add(new Heard(peerNodeId, questionId, list(copy(buffer, offset, length))));
  }

  @Override
  public void opened(long peerNodeId) {
    opened.add(peerNodeId);
  }

  @Override
  public void remarked(long peerNodeId, DirectBuffer buffer, int offset, int length) {
    remarked.add(new Heard(peerNodeId, 0, list(copy(buffer, offset, length))));
  }

  @Override
  public void closed(long peerNodeId) {
    closed.add(peerNodeId);
  }

  @Override
  public void told(long peerNodeId, long handoffId, DirectBuffer buffer, int offset, int length) {
    told.add(new Heard(peerNodeId, handoffId, list(copy(buffer, offset, length))));
  }

  private static byte[] copy(DirectBuffer buffer, int offset, int length) {
    byte[] bytes = new byte[length];
    buffer.getBytes(offset, bytes);
    return bytes;
  }

  static List<Byte> list(byte[] bytes) {
    Byte[] boxed = new Byte[bytes.length];
    Arrays.setAll(boxed, i -> bytes[i]);
    return List.of(boxed);
  }
}
