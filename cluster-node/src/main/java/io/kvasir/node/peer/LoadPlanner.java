package io.kvasir.node.peer;

import io.kvasir.connectors.protocol.LoadAdvice;
import io.kvasir.node.index.Holders;
import org.agrona.collections.Long2LongHashMap;
import org.agrona.concurrent.NanoClock;
import org.jspecify.annotations.Nullable;

/**
 * The cost model: loads the leading {@code k} of {@code n} chunks and computes the rest, with the
 * {@code k} for which the first token comes soonest. Peers send at the same time, so a load takes
 * as long as the slowest of them, by what its last chunks took and what is on its way from it
 * already. Chunks of this slab take nothing. Node agent only.
 */
public final class LoadPlanner {
  /** An estimate may be wrong by so much before the engine would have been faster without us. */
  private static final double CAUTION = 1.1;

  private final PullRates rates;
  private final HolderChoice choice;
  private final NanoClock clock;

  public LoadPlanner(final PeerTable peers, final PullRates rates, final NanoClock clock) {
    this.rates = rates;
    this.choice = new HolderChoice(peers, rates);
    this.clock = clock;
  }

  /**
   * Plans the load of a run.
   *
   * @param toPull who holds the leading chunks that exist; null for one of this slab
   * @param found how many those are
   * @param computeNsPerChunk what the engine would take for one chunk, 0 if it does not say
   */
  public LoadPlan plan(
      final ChunkRun run,
      final @Nullable Holders[] toPull,
      final int found,
      final double computeNsPerChunk) {
    final long nowNs = clock.nanoTime();
    final Long2LongHashMap bytesOf = new Long2LongHashMap(0);
    boolean isKnown = true;
    double loadNs = 0;
    int worth = 0;
    double worthNs = found * computeNsPerChunk;
    long nodeId = 0;
    long heldBack = 0;
    int end = 0;
    for (; end < found; end++) {
      final Holders holders = toPull[end];
      if (holders != null) {
        final int holder = choice.choose(holders, run.key(end), nodeId, 0, null, nowNs);
        if (holder == HolderChoice.NONE) {
          break;
        }
        nodeId = holders.nodeIds()[holder];
        final long bytes = bytesOf.get(nodeId) + holders.lengthBytes();
        bytesOf.put(nodeId, bytes);
        final long peerNs = rates.estimateNs(nodeId, bytes);
        isKnown &= peerNs != PullRates.UNKNOWN_NS;
        loadNs = Math.max(loadNs, CAUTION * peerNs);
      }
      final double totalNs = loadNs + (found - end - 1) * computeNsPerChunk;
      if (computeNsPerChunk == 0 || totalNs <= worthNs) {
        worth = end + 1;
        worthNs = totalNs;
        heldBack = 0;
      } else if (heldBack == 0) {
        heldBack = nodeId;
      }
    }
    final LoadAdvice advice =
        worth < end
            ? reason(heldBack, run.space().chunkBytes(), end - worth, computeNsPerChunk)
            : end < found
                ? LoadAdvice.UNREACHABLE
                : bytesOf.isEmpty() || (isKnown && computeNsPerChunk > 0)
                    ? LoadAdvice.ALL
                    : LoadAdvice.UNKNOWN;
    return new LoadPlan(isKnown ? Math.round(loadNs / CAUTION) : 0, worth, advice, heldBack);
  }

  /** Why the rest is not worth it: no link could make up for it, or this one not now. */
  private LoadAdvice reason(
      final long nodeId, final int chunkBytes, final int chunks, final double computeNsPerChunk) {
    final PullRates.Rate rate = rates.of(nodeId);
    if (rate == null) {
      return LoadAdvice.UNKNOWN;
    }
    final double gainNs = chunks * (computeNsPerChunk - CAUTION * chunkBytes * rate.nsPerByte());
    if (gainNs <= 0) {
      return LoadAdvice.BANDWIDTH;
    }
    return CAUTION * rate.startNs() >= gainNs ? LoadAdvice.LATENCY : LoadAdvice.QUEUE;
  }
}
