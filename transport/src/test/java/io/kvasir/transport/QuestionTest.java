package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.transport.TestQuestions.Heard;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
final class QuestionTest {
  private static final long SEED = System.nanoTime();
  private final Peers peers = new Peers();

  @AfterEach
  void closePeers() throws IOException {
    peers.close();
  }

  private static byte[] body(int length) {
    byte[] body = new byte[length];
    new Random(SEED).nextBytes(body);
    return body;
  }

  private static void awaitAnswers(Peers.Peer asker, int count) {
    Peers.await(() -> "answers, seed " + SEED, () -> asker.questions.answered.size() >= count);
  }

  @Test
  void shouldDialAndAnswerInPartsWhenAsked() {
    Peers.Peer asker = peers.start(1);
    Peers.Peer asked = peers.start(2);
    byte[] body = body(asker.transport.noteBytesMax());
    assertTrue(asker.transport.ask(2, asked.endpoint(), 77, body));
    awaitAnswers(asker, 2);
    assertEquals(List.of(new Heard(1, 77, TestQuestions.list(body))), asked.questions.asked);
    List<Byte> first = asker.questions.answered.get(0).body();
    List<Byte> second = asker.questions.answered.get(1).body();
    assertEquals(TestQuestions.list(body).subList(0, body.length / 2), first);
    assertEquals(TestQuestions.list(body).subList(body.length / 2, body.length), second);
    assertEquals(new Heard(2, 77, second), asker.questions.answered.get(1));
    assertEquals(0, asker.transport.stats().protocolErrors());
  }

  @Test
  void shouldTellOfAHandoffWithoutAnAnswer() {
    Peers.Peer sender = peers.start(1);
    Peers.Peer receiver = peers.start(2);
    byte[] body = body(sender.transport.noteBytesMax());
    assertTrue(sender.transport.tell(2, receiver.endpoint(), -3, body));
    Peers.await(() -> "the note", () -> !receiver.questions.told.isEmpty());
    assertEquals(List.of(new Heard(1, -3, TestQuestions.list(body))), receiver.questions.told);
    assertTrue(receiver.questions.asked.isEmpty());
  }

  @Test
  void shouldCarryEmptyQuestions() {
    Peers.Peer asker = peers.start(1);
    Peers.Peer asked = peers.start(2);
    assertTrue(asker.transport.ask(2, asked.endpoint(), 0, new byte[0]));
    awaitAnswers(asker, 2);
    assertEquals(List.of(new Heard(1, 0, List.of())), asked.questions.asked);
  }

  @Test
  void shouldRefuseWhatDoesNotFitAFrame() {
    Peers.Peer asker = peers.start(1);
    byte[] body = body(asker.transport.noteBytesMax() + 1);
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class, () -> asker.transport.ask(2, "127.0.0.1:9", 1, body));
    assertTrue(String.valueOf(refused.getMessage()).startsWith("KVA-0427"), refused::getMessage);
  }

  @Test
  void shouldKeepASessionThatOnlyCarriesQuestions() {
    Peers.Peer asker = peers.start(1, b -> b.idleClose(Duration.ofSeconds(2)), context -> {});
    Peers.Peer asked = peers.start(2, b -> b.idleClose(Duration.ofSeconds(2)), context -> {});
    long untilNs = System.nanoTime() + Duration.ofSeconds(4).toNanos();
    int answers = 0;
    while (System.nanoTime() - untilNs < 0) {
      assertTrue(asker.transport.ask(2, asked.endpoint(), answers, body(100)));
      answers += 2;
      awaitAnswers(asker, answers);
    }
    assertEquals(1, asker.transport.stats().sessionsOpened());
    assertEquals(0, asker.transport.stats().sessionsClosed());
  }

  @Test
  void shouldDropAnAnswerWithoutASession() {
    Peers.Peer lonely = peers.start(1);
    assertTrue(lonely.transport.answer(2, 5, body(10)));
    Peers.Peer asked = peers.start(2);
    assertTrue(lonely.transport.ask(2, asked.endpoint(), 6, body(10)));
    awaitAnswers(lonely, 2);
    assertTrue(asked.questions.answered.isEmpty());
    assertFalse(asked.questions.asked.isEmpty());
  }

  @Test
  void shouldAskThePeerAtItsNewAddressWhenItWasRestarted() {
    Peers.Peer asker = peers.start(1);
    Peers.Peer before = peers.start(2);
    assertTrue(asker.transport.ask(2, before.endpoint(), 1, body(10)));
    awaitAnswers(asker, 2);
    before.close();
    Peers.Peer after = peers.start(2);
    assertTrue(asker.transport.ask(2, after.endpoint(), 2, body(10)));
    awaitAnswers(asker, 4);
    assertEquals(1, after.questions.asked.size());
  }

  @Test
  void shouldTellOfASessionAndCarryItsRemarksInOrderUntilItEnds() throws IOException {
    Peers.Peer one = peers.start(1);
    Peers.Peer other = peers.start(2);
    assertTrue(one.transport.remark(2, body(5))); // goes nowhere: nobody is dialled for a remark
    assertTrue(one.transport.ask(2, other.endpoint(), 1, new byte[0]));
    Peers.await(() -> "a session", () -> one.questions.opened.equals(List.of(2L)));
    Peers.await(() -> "a session", () -> other.questions.opened.equals(List.of(1L)));
    int count = 900;
    for (int i = 0; i < count; i++) {
      assertTrue(one.transport.remark(2, new byte[] {(byte) i, (byte) (i >> 8)}));
    }
    assertTrue(other.transport.remark(1, body(other.transport.noteBytesMax())));
    Peers.await(() -> "remarks", () -> other.questions.remarked.size() == count);
    for (int i = 0; i < count; i++) {
      assertEquals(
          new Heard(1, 0, List.of((byte) i, (byte) (i >> 8))), other.questions.remarked.get(i));
    }
    Peers.await(() -> "a remark", () -> one.questions.remarked.size() == 1);
    assertEquals(List.of(), one.questions.closed);
    other.close();
    Peers.await(() -> "the end", () -> one.questions.closed.equals(List.of(2L)));
    assertEquals(List.of(1L), other.questions.closed);
    assertEquals(0, one.transport.stats().notesDropped());
    assertEquals(0, one.transport.stats().protocolErrors());
  }
}
