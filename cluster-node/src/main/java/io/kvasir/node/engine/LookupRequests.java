package io.kvasir.node.engine;

import io.kvasir.connectors.protocol.FoundBody;
import io.kvasir.connectors.protocol.Frame;
import io.kvasir.connectors.protocol.FrameWriter;
import io.kvasir.connectors.protocol.LookupBody;
import io.kvasir.connectors.protocol.Protocol;
import io.kvasir.node.index.Holders;
import io.kvasir.node.peer.ChunkRun;
import io.kvasir.node.peer.LoadPlan;
import io.kvasir.node.store.Store;
import io.kvasir.placement.ChunkKey;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * LOOKUP: what of a run is here and what the index says that others have, and how much of it is
 * worth loading. Node agent only.
 */
final class LookupRequests {
  private static final long LOOKUP_NS = TimeUnit.MILLISECONDS.toNanos(5);
  private static final double NANOS_PER_SECOND = 1e9;

  private final EngineEndpoint endpoint;
  private final EngineServices services;
  private final Store store;
  private final LookupBody body = new LookupBody();

  /** A LOOKUP whose answer waits for the index. */
  private record Asked(
      EngineSession session, int correlationId, ChunkRun run, int tokensPerSecond) {
    /** What the engine would take for one chunk, 0 if it does not say. */
    double computeNsPerChunk() {
      return tokensPerSecond == 0
          ? 0
          : run.space().chunkTokens() * NANOS_PER_SECOND / tokensPerSecond;
    }
  }

  LookupRequests(final EngineEndpoint endpoint, final EngineServices services) {
    this.endpoint = endpoint;
    this.services = services;
    this.store = services.store();
  }

  void lookup(final EngineSession session, final Frame frame) {
    body.wrap(frame);
    final ChunkRun run = EngineRequests.run(session, body.prefix());
    final Asked asked =
        new Asked(session, frame.correlationId(), run, body.prefillTokensPerSecond());
    endpoint.counters().lookups++;
    endpoint.counters().lookupChunks += run.length();
    int local = 0;
    while (local < run.length() && isLocal(run, local)) {
      local++;
    }
    if (local == run.length() || (frame.flags() & Protocol.FLAG_LOCAL_ONLY) != 0) {
      found(asked, false, new @Nullable Holders[0], local);
      return;
    }
    final int from = local;
    final ChunkKey[] keys = new ChunkKey[run.length() - from];
    final long[] groups = new long[keys.length];
    for (int i = 0; i < keys.length; i++) {
      keys[i] = run.key(from + i);
      groups[i] = run.group(from + i);
    }
    services
        .index()
        .lookup(
            keys,
            groups,
            services.clock().nanoTime() + LOOKUP_NS,
            (holders, isWhole) ->
                services.agent().execute(() -> located(asked, from, holders, !isWhole)));
  }

  private void located(
      final Asked asked, final int from, final @Nullable Holders[] holders, final boolean partial) {
    final ChunkRun run = asked.run();
    final @Nullable Holders[] toPull = new @Nullable Holders[run.length()];
    int found = from;
    while (found < run.length()) {
      final Holders known = holders[found - from];
      if (!isLocal(run, found)) {
        if (known == null || known.lengthBytes() != run.space().chunkBytes()) {
          break;
        }
        toPull[found] = known;
      }
      found++;
    }
    found(asked, partial, Arrays.copyOf(toPull, found), found);
  }

  /**
   * Answers.
   *
   * @param toPull who holds the found chunks, null for one that is here; shorter if the rest is
   */
  private void found(
      final Asked asked, final boolean partial, final @Nullable Holders[] toPull, final int found) {
    final ChunkRun run = asked.run();
    final LoadPlan plan =
        services
            .planner()
            .plan(run, Arrays.copyOf(toPull, found), found, asked.computeNsPerChunk());
    final long remote = Arrays.stream(toPull).filter(Objects::nonNull).count();
    endpoint.counters().lookupFound += found;
    endpoint.counters().lookupWorth += plan.worth();
    final FrameWriter out = asked.session().answer();
    if (out != null) {
      final long chunkBytes = run.space().chunkBytes();
      FoundBody.encode(
          out,
          asked.correlationId(),
          partial,
          found,
          (int) (found - remote),
          found * chunkBytes,
          remote * chunkBytes,
          TimeUnit.NANOSECONDS.toMicros(plan.estimateNs()),
          plan.worth(),
          plan.advice());
    }
    services.probe().advised(run, plan);
  }

  private boolean isLocal(final ChunkRun run, final int index) {
    final int slot = store.find(run.key(index));
    return slot >= 0
        && store.lengthBytes(slot) == run.space().chunkBytes()
        && store.epoch(slot) == run.space().epoch();
  }
}
