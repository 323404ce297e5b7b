package io.kvasir.cli.replay;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

final class CorruptionPlanTest {
  @Test
  void shouldChooseABlockThatAnotherNodeReadsNext() {
    List<Trace.Request> requests = List.of(request(0, 1), request(0, 2), request(0, 1));

    assertEquals(Optional.of(new CorruptionPlan(0, 0)), CorruptionPlan.find(requests, 2, 0));
  }

  @Test
  void shouldSkipABlockThatItsOwnNodeReadsFirst() {
    List<Trace.Request> requests = List.of(request(7), request(8), request(7), request(7));

    assertEquals(Optional.empty(), CorruptionPlan.find(requests, 2, 0));
  }

  @Test
  void shouldFindNothingWhenNothingIsShared() {
    assertEquals(Optional.empty(), CorruptionPlan.find(List.of(request(1), request(2)), 2, 0));
  }

  private static Trace.Request request(int... blockIds) {
    return new Trace.Request(blockIds.length * Trace.BLOCK_TOKENS, blockIds);
  }
}
