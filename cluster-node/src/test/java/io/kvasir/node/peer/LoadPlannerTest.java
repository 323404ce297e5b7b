package io.kvasir.node.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.kvasir.connectors.protocol.LoadAdvice;
import io.kvasir.node.index.ClusterMember;
import io.kvasir.node.index.Holders;
import io.kvasir.placement.Fingerprint;
import java.util.Arrays;
import java.util.List;
import org.agrona.concurrent.CachedNanoClock;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Peers 1 and 2; a chunk is computed in 1 ms. */
class LoadPlannerTest {
  private static final int CHUNK_BYTES = 1_000_000;
  private static final double COMPUTE_NS = 1_000_000;
  private static final Space SPACE = new Space(1, new Fingerprint(1, 2, 3, 4), 128, CHUNK_BYTES, 0);

  private final CachedNanoClock clock = new CachedNanoClock();
  private final PeerTable peers = new PeerTable();
  private final PullRates rates = new PullRates();
  private final LoadPlanner planner = new LoadPlanner(peers, rates, clock);

  @BeforeEach
  void twoPeers() {
    peers.update(List.of(member(1), member(2)));
  }

  @Test
  void shouldLoadEverythingWhenAllIsHere() {
    assertEquals(new LoadPlan(0, 3, LoadAdvice.ALL, 0), plan(COMPUTE_NS, null, null, null));
    assertEquals(new LoadPlan(0, 0, LoadAdvice.ALL, 0), plan(COMPUTE_NS));
  }

  @Test
  void shouldPullAllWhenThePeerIsFasterThanTheEngine() {
    known(1, 0, 0.5);
    assertEquals(
        new LoadPlan(1_000_000, 2, LoadAdvice.ALL, 0), plan(COMPUTE_NS, heldBy(1), heldBy(1)));
  }

  @Test
  void shouldComputeWhenThePeerIsSlowerThanTheEngine() {
    known(1, 0, 3);
    assertEquals(
        new LoadPlan(6_000_000, 0, LoadAdvice.BANDWIDTH, 1),
        plan(COMPUTE_NS, heldBy(1), heldBy(1)));
  }

  @Test
  void shouldLoadTheLeadingChunksWhenOnlyTheyComeSooner() {
    known(1, 0, 0.2);
    known(2, 0, 3);
    assertEquals(
        new LoadPlan(6_000_000, 3, LoadAdvice.BANDWIDTH, 2),
        plan(COMPUTE_NS, null, heldBy(1), heldBy(1), heldBy(2), heldBy(2)));
  }

  @Test
  void shouldComputeWhenThePeerTakesLongerToBeginThanIsWon() {
    known(1, 4_000_000, 0.1);
    final LoadPlan one = plan(COMPUTE_NS, heldBy(1));
    assertEquals(0, one.worth());
    assertEquals(LoadAdvice.LATENCY, one.advice());
    final Holders[] many = new Holders[20];
    Arrays.fill(many, heldBy(1));
    assertEquals(20, plan(COMPUTE_NS, many).worth());
  }

  @Test
  void shouldComputeWhenMuchIsOnItsWayAlready() {
    known(1, 0, 0.5);
    final PullRates.Transfer other = rates.begin(1, 10 * CHUNK_BYTES, 0);
    final LoadPlan busy = plan(COMPUTE_NS, heldBy(1), heldBy(1));
    assertEquals(0, busy.worth());
    assertEquals(LoadAdvice.QUEUE, busy.advice());
    other.lost(10 * CHUNK_BYTES);
    assertEquals(2, plan(COMPUTE_NS, heldBy(1), heldBy(1)).worth());
  }

  @Test
  void shouldNotTrustAnEstimateThatIsNoBetterThanComputing() {
    known(1, 0, 0.95);
    assertEquals(0, plan(COMPUTE_NS, heldBy(1)).worth());
  }

  @Test
  void shouldTryWhenNothingIsKnownOfThePeerOrTheEngine() {
    assertEquals(new LoadPlan(0, 1, LoadAdvice.UNKNOWN, 0), plan(COMPUTE_NS, heldBy(1)));
    known(1, 0, 3);
    assertEquals(new LoadPlan(3_000_000, 1, LoadAdvice.UNKNOWN, 0), plan(0, heldBy(1)));
  }

  @Test
  void shouldStopAtAChunkWhoseHoldersDoNotAnswer() {
    known(1, 0, 0.1);
    peers.failed(2, 1, clock.nanoTime());
    peers.failed(2, 2, clock.nanoTime());
    assertEquals(
        new LoadPlan(100_000, 1, LoadAdvice.UNREACHABLE, 0),
        plan(COMPUTE_NS, heldBy(1), heldBy(2), heldBy(1)));
    assertEquals(1, plan(0, heldBy(1), heldBy(2), heldBy(1)).worth());
  }

  @Test
  void shouldAskTheFasterOneWhenTwoHaveTheChunk() {
    known(1, 0, 3);
    known(2, 0, 0.5);
    assertEquals(
        new LoadPlan(1_000_000, 2, LoadAdvice.ALL, 0),
        plan(COMPUTE_NS, heldBy(1, 2), heldBy(2, 1)));
  }

  private LoadPlan plan(final double computeNs, final @Nullable Holders... chunks) {
    final byte[] hashes = new byte[(chunks.length + 1) * 32];
    final ChunkRun run = ChunkRun.derive(SPACE, 0, hashes, 0, 0, Math.max(1, chunks.length));
    return planner.plan(run, chunks, chunks.length, computeNs);
  }

  /** Lets a peer have delivered: after a start, at a time per byte. */
  private void known(final long nodeId, final long startNs, final double nsPerByte) {
    for (int i = 0; i < 100; i++) {
      final PullRates.Transfer transfer = rates.begin(nodeId, 2 * CHUNK_BYTES, 0);
      transfer.arrived(CHUNK_BYTES, startNs + Math.round(nsPerByte * CHUNK_BYTES));
      transfer.arrived(CHUNK_BYTES, startNs + Math.round(2 * nsPerByte * CHUNK_BYTES));
    }
  }

  private static Holders heldBy(final long... nodeIds) {
    final long[] versions = new long[nodeIds.length];
    Arrays.fill(versions, 9);
    return new Holders(CHUNK_BYTES, nodeIds, versions);
  }

  private static ClusterMember member(final long nodeId) {
    return new ClusterMember(nodeId, "n" + nodeId, "127.0.0.1:" + (4_000 + nodeId), "z", 0, false);
  }
}
