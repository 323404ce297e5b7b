package io.kvasir.node.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class PullRatesTest {
  private static final long PEER = 7;
  private static final long CHUNK_BYTES = 1_000_000;

  private final PullRates rates = new PullRates();

  @Test
  void shouldNotKnowWhenNothingHasCome() {
    assertEquals(PullRates.UNKNOWN_NS, rates.estimateNs(PEER, CHUNK_BYTES));
    final PullRates.Transfer transfer = rates.begin(PEER, CHUNK_BYTES, 0);
    transfer.lost(CHUNK_BYTES);
    assertEquals(PullRates.UNKNOWN_NS, rates.estimateNs(PEER, CHUNK_BYTES));
  }

  @Test
  void shouldEstimateByTheOnlyChunkWhenOneHasCome() {
    rates.begin(PEER, CHUNK_BYTES, 0).arrived(CHUNK_BYTES, 2_000_000);
    assertEquals(4_000_000, rates.estimateNs(PEER, 2 * CHUNK_BYTES));
  }

  @Test
  void shouldTellTheStartFromTheStreamWhenChunksFollowEachOther() {
    // 1 ns a byte, after a start of 500 us.
    for (int i = 0; i < 100; i++) {
      final PullRates.Transfer transfer = rates.begin(PEER, 4 * CHUNK_BYTES, 0);
      for (int chunk = 1; chunk <= 4; chunk++) {
        transfer.arrived(CHUNK_BYTES, 500_000 + chunk * CHUNK_BYTES);
      }
    }
    assertNear(1_500_000, rates.estimateNs(PEER, CHUNK_BYTES));
    assertNear(10_500_000, rates.estimateNs(PEER, 10 * CHUNK_BYTES));
  }

  @Test
  void shouldCountWhatIsOnTheWayUntilItArrivedOrIsLost() {
    rates.begin(PEER, CHUNK_BYTES, 0).arrived(CHUNK_BYTES, CHUNK_BYTES);
    final PullRates.Transfer transfer = rates.begin(PEER, 3 * CHUNK_BYTES, 0);
    assertEquals(4 * CHUNK_BYTES, rates.estimateNs(PEER, CHUNK_BYTES));
    transfer.lost(2 * CHUNK_BYTES);
    transfer.arrived(CHUNK_BYTES, CHUNK_BYTES);
    assertEquals(CHUNK_BYTES, rates.estimateNs(PEER, CHUNK_BYTES));
  }

  @Test
  void shouldFollowWhenThePeerBecomesSlower() {
    rates.begin(PEER, CHUNK_BYTES, 0).arrived(CHUNK_BYTES, CHUNK_BYTES);
    for (int i = 0; i < 50; i++) {
      final PullRates.Transfer transfer = rates.begin(PEER, 2 * CHUNK_BYTES, 0);
      transfer.arrived(CHUNK_BYTES, 3 * CHUNK_BYTES);
      transfer.arrived(CHUNK_BYTES, 6 * CHUNK_BYTES);
    }
    assertNear(3 * CHUNK_BYTES, rates.estimateNs(PEER, CHUNK_BYTES));
  }

  @Test
  void shouldFollowWhenThePeerBecomesFasterAndOnlySingleChunksCome() {
    rates.begin(PEER, CHUNK_BYTES, 0).arrived(CHUNK_BYTES, 3 * CHUNK_BYTES);
    for (int i = 0; i < 20; i++) {
      rates.begin(PEER, CHUNK_BYTES, 0).arrived(CHUNK_BYTES, CHUNK_BYTES);
    }
    assertNear(CHUNK_BYTES, rates.estimateNs(PEER, CHUNK_BYTES));
  }

  @Test
  void shouldLearnFromWhatIsLateWhenNothingComes() {
    rates.begin(PEER, CHUNK_BYTES, 0).late(CHUNK_BYTES, 5 * CHUNK_BYTES);
    assertEquals(5 * CHUNK_BYTES, rates.estimateNs(PEER, CHUNK_BYTES));
    // That it was no later than some deadline says nothing of a peer that is known to be slower.
    rates.begin(PEER, CHUNK_BYTES, 0).late(CHUNK_BYTES, CHUNK_BYTES);
    assertEquals(5 * CHUNK_BYTES, rates.estimateNs(PEER, CHUNK_BYTES));
  }

  @Test
  void shouldLearnOnceWhenManyChunksAreLateTogether() {
    final int chunks = 100;
    rates.begin(PEER, CHUNK_BYTES, 0).arrived(CHUNK_BYTES, CHUNK_BYTES);
    final PullRates.Transfer transfer = rates.begin(PEER, chunks * CHUNK_BYTES, 0);
    for (int i = 0; i < chunks; i++) {
      transfer.late(CHUNK_BYTES, 200 * CHUNK_BYTES);
    }
    // 100 chunks did not come in the time of 200: 2 each, of which half is believed.
    assertNear(3 * CHUNK_BYTES / 2, rates.estimateNs(PEER, CHUNK_BYTES));
  }

  @Test
  void shouldKnowTheUsualWaitWhenEnoughTransfersHaveEnded() {
    for (int i = 1; i <= 100; i++) {
      final PullRates.Transfer transfer = rates.begin(PEER, 2 * CHUNK_BYTES, 0);
      final boolean isKnown = transfer.usualWaitNs() != PullRates.UNKNOWN_NS;
      assertEquals(i > 20, isKnown, "transfer " + i);
      // The longer wait counts, of the first chunk or of the second.
      transfer.arrived(CHUNK_BYTES, 1_000);
      transfer.arrived(CHUNK_BYTES, 1_000 + i * 10_000);
    }
    // The last 64 waited 370 to 1,000 us.
    assertEquals(970_000, rates.begin(PEER, CHUNK_BYTES, 0).usualWaitNs());
  }

  @Test
  void shouldForgetWhenThePeerIsGone() {
    rates.begin(PEER, CHUNK_BYTES, 0).arrived(CHUNK_BYTES, CHUNK_BYTES);
    rates.retain(nodeId -> nodeId != PEER);
    assertEquals(PullRates.UNKNOWN_NS, rates.estimateNs(PEER, CHUNK_BYTES));
  }

  private static void assertNear(final long expectedNs, final long actualNs) {
    assertTrue(
        Math.abs(actualNs - expectedNs) <= expectedNs / 100,
        "expectedNs=" + expectedNs + " actualNs=" + actualNs);
  }
}
