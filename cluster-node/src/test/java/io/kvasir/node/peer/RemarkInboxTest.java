package io.kvasir.node.peer;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class RemarkInboxTest {
  private static final int LENGTH = 64 << 10;

  private final RemarkInbox inbox = new RemarkInbox();

  @Test
  void shouldTakeNoMoreWhenTheAgentDoesNotWork() {
    int taken = 0;
    while (taken < 1_000 && inbox.take(LENGTH)) {
      taken++;
    }
    assertTrue(taken * LENGTH < RemarkInbox.WAITING_BYTES_MAX, "taken " + taken);
    assertTrue(taken > 10, "taken " + taken);
  }

  @Test
  void shouldTakeOnWhenTheAgentWorks() {
    for (int i = 0; i < 1_000; i++) {
      assertTrue(inbox.take(LENGTH), "remark " + i);
      inbox.handled(LENGTH);
    }
  }

  @Test
  void shouldBoundTheNumberWhenRemarksAreEmpty() {
    int taken = 0;
    while (taken < 1_000_000 && inbox.take(0)) {
      taken++;
    }
    assertTrue(taken < 10_000, "taken " + taken);
  }

  @Test
  void shouldStayRefusedWhenRefused() {
    assertFalse(inbox.isRefused());
    inbox.refuse();
    assertTrue(inbox.isRefused());
  }
}
