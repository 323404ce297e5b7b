package io.kvasir.cli.replay;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.kvasir.connectors.client.NodeUnavailableException;
import io.kvasir.node.local.LocalCluster;
import io.kvasir.node.local.LocalNode;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.ObjIntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Replays a trace against real node processes: request {@code i} goes to node {@code i mod N},
 * loads the leading blocks that the cluster has, proves every byte, and stores the rest before the
 * next request begins. One thread.
 */
public final class TraceReplay {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final long PROGRESS_NS = TimeUnit.SECONDS.toNanos(2);
  private static final long SETTLED_NS = TimeUnit.SECONDS.toNanos(15);

  /** A node and the engine on its host. */
  private record Host(int index, LocalNode node, TraceEngine engine) {}

  private final ReplayOptions options;
  private final List<Trace.Request> requests;
  private final PrintStream progress;
  private final ReplayTotals totals = new ReplayTotals();
  private final List<Host> live = new ArrayList<>();
  private final @Nullable CorruptionPlan corruption;
  private int flippedBytes;
  private @Nullable KillWatch kill;

  private TraceReplay(ReplayOptions options, Trace trace, PrintStream progress) throws IOException {
    this.options = options;
    this.requests = trace.requests();
    this.progress = progress;
    this.corruption = corruption(options, requests);
    if (options.killNode() != null && options.killAtRequest() >= requests.size()) {
      throw new IOException(
          "KVA-0615 the kill would never happen - at-request="
              + options.killAtRequest()
              + " (limit="
              + (requests.size() - 1)
              + ")");
    }
  }

  /** Runs a replay from the first process to the last; leaves nothing behind. */
  public static ReplayReport run(ReplayOptions options, PrintStream progress) throws IOException {
    Trace trace = Trace.read(options.trace(), options.limit());
    SlabPlan slabs = SlabPlan.of(trace, options);
    TraceReplay replay = new TraceReplay(options, trace, progress);
    try (LocalCluster cluster =
        LocalCluster.builder()
            .nodes(options.nodes())
            .slabDirectory(options.slabDirectory())
            .slabBytes(slabs.slabBytes())
            .set("store.max-chunks=" + slabs.chunksMax())
            .set("store.eviction-policy=" + options.evictionPolicy())
            .start()) {
      return replay.run(cluster, slabs.slabBytes());
    }
  }

  private static @Nullable CorruptionPlan corruption(
      ReplayOptions options, List<Trace.Request> requests) throws IOException {
    Integer node = options.corruptNode();
    if (node == null) {
      return null;
    }
    Optional<CorruptionPlan> plan = CorruptionPlan.find(requests, options.nodes(), node);
    return plan.orElseThrow(
        () ->
            new IOException(
                "KVA-0616 no block of this trace would be pulled from node "
                    + node
                    + "; read more of it (--limit)"));
  }

  private ReplayReport run(LocalCluster cluster, long slabBytes) throws IOException {
    try {
      for (int i = 0; i < cluster.size(); i++) {
        LocalNode node = cluster.node(i);
        live.add(
            new Host(
                i, node, new TraceEngine(node.engineSocket(), options.chunkBytes(), slabBytes)));
      }
      long startNs = System.nanoTime();
      replayAll(cluster, startNs);
      double seconds = (System.nanoTime() - startNs) / 1e9;
      return report(seconds);
    } finally {
      live.forEach(host -> host.engine().close());
    }
  }

  private void replayAll(LocalCluster cluster, long startNs) {
    long nextProgressNs = startNs;
    for (int number = 0; number < requests.size(); number++) {
      if (options.killNode() != null && number == options.killAtRequest()) {
        kill = KillWatch.kill(cluster, options.killNode(), number);
      }
      long requestStartNs = System.nanoTime();
      replay(number);
      long nowNs = System.nanoTime();
      totals.longestRequestNs = Math.max(totals.longestRequestNs, nowNs - requestStartNs);
      if (kill != null) {
        kill.requestEnded(number, requestStartNs, nowNs, totals.blocks);
      }
      if (nowNs - nextProgressNs >= 0) {
        nextProgressNs = nowNs + PROGRESS_NS;
        printProgress(number + 1, startNs, nowNs);
      }
    }
    printProgress(requests.size(), startNs, System.nanoTime());
  }

  private void replay(int number) {
    Trace.Request request = requests.get(number);
    TraceEngine.Loaded loaded = null;
    while (loaded == null) {
      int target = number % live.size();
      try {
        TraceEngine engine = live.get(target).engine();
        TraceEngine.Loaded attempt = engine.load(request, requests.size());
        totals.blocksNotStored += engine.store(request, attempt.blocks(), number, flipping(number));
        loaded = attempt;
      } catch (NodeUnavailableException e) {
        forget(target, e);
      }
    }
    totals.add(request, loaded, (long) loaded.blocks() * options.chunkBytes());
  }

  /** The engine of a killed host dies with it; what it did not finish is done again elsewhere. */
  private void forget(int target, NodeUnavailableException cause) {
    Integer expected = options.killNode();
    if (expected == null || kill == null || live.get(target).index() != expected) {
      throw cause;
    }
    live.remove(target).engine().close();
  }

  /** Flips one bit of the planned block once it is committed, behind the node's back. */
  private ObjIntConsumer<MemorySegment> flipping(int number) {
    return (memory, position) -> {
      if (corruption != null
          && corruption.request() == number
          && corruption.position() == position) {
        long at = memory.byteSize() / 2;
        memory.set(ValueLayout.JAVA_BYTE, at, (byte) (memory.get(ValueLayout.JAVA_BYTE, at) ^ 1));
        flippedBytes++;
      }
    };
  }

  private void printProgress(int done, long startNs, long nowNs) {
    progress.printf(
        Locale.ROOT,
        "replay: %,d of %,d requests, hit rate %.4f, %.0f blocks/s, wrong bytes %d%n",
        done,
        requests.size(),
        totals.hitRate(),
        totals.blocks / Math.max(1e-9, (nowNs - startNs) / 1e9),
        totals.wrongBytes);
  }

  private ReplayReport report(double seconds) throws IOException {
    List<ReplayReport.Node> nodes = new ArrayList<>();
    long corruptions = 0;
    long bytesMoved = 0;
    for (Host host : live) {
      JsonNode stats = MAPPER.readTree(host.engine().stats());
      long served = stats.at("/peers/bytesServed").asLong();
      bytesMoved += served;
      corruptions += stats.at("/cache/corruptions").asLong();
      LocalNode node = host.node();
      nodes.add(
          new ReplayReport.Node(
              node.pid(), node.info().runDir(), stats.at("/store/chunks").asLong(), served));
    }
    return new ReplayReport(
        totals.requests,
        totals.blocks,
        totals.hitBlocks,
        totals.hitRate(),
        totals.tokenHitRate(),
        new ReplayReport.Hits(totals.localHits, totals.hitBlocks - totals.localHits),
        totals.verifiedBytes,
        totals.wrongBytes,
        totals.blocksNotStored,
        corruptions,
        flippedBytes,
        bytesMoved,
        totals.longestRequestNs / 1e6,
        kill == null ? null : kill.report(),
        nodes,
        seconds);
  }

  /** What happens after a node is killed. */
  private static final class KillWatch {
    private final LocalNode victim;
    private final int node;
    private final int atRequest;
    private final long killedNs;
    private long longestNs;
    private int settledRequest = -1;
    private long settledNs;
    private long settledBlocks;
    private long lastNs;
    private long lastBlocks;

    private KillWatch(LocalNode victim, int node, int atRequest, long killedNs) {
      this.victim = victim;
      this.node = node;
      this.atRequest = atRequest;
      this.killedNs = killedNs;
    }

    /** Kills from a thread of its own, so that the request is under way when the node dies. */
    static KillWatch kill(LocalCluster cluster, int node, int atRequest) {
      LocalNode victim = cluster.node(node);
      // A platform thread: those that wait for the output of nodes may hold every carrier.
      Thread.ofPlatform().daemon().name("replay-kill").start(victim::kill);
      return new KillWatch(victim, node, atRequest, System.nanoTime());
    }

    void requestEnded(int number, long startNs, long endNs, long blocks) {
      longestNs = Math.max(longestNs, endNs - startNs);
      if (settledRequest < 0 && endNs - killedNs >= SETTLED_NS) {
        settledRequest = number + 1;
        settledNs = endNs;
        settledBlocks = blocks;
      }
      lastNs = endNs;
      lastBlocks = blocks;
    }

    ReplayReport.Kill report() {
      boolean settled = settledRequest >= 0 && lastNs > settledNs;
      return new ReplayReport.Kill(
          node,
          atRequest,
          !victim.isAlive(),
          longestNs / 1e6,
          settled ? settledRequest : null,
          settled ? (lastBlocks - settledBlocks) / ((lastNs - settledNs) / 1e9) : null);
    }
  }
}
