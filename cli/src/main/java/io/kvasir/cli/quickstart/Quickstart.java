package io.kvasir.cli.quickstart;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kvasir.cli.status.LastRun;
import io.kvasir.node.NodeInfo;
import io.kvasir.node.local.LocalCluster;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * Runs the workload through the engines, one request at a time, so that a time to first token is
 * that of an idle machine. Each prompt runs with and without the cache on the same engine, in
 * alternating order; what is new is stored after the run with the cache, outside its time. Nothing
 * is reused between two runs but what came through the cache.
 */
public final class Quickstart {
  private static final long SEED = 1;
  private static final double NANOS_PER_SECOND = 1e9;
  private static final Duration START_LIMIT = Duration.ofSeconds(60);
  private static final Duration REQUEST_LIMIT = Duration.ofSeconds(60);
  private static final int WARMUP_TOKENS = 1_800;
  private static final double WARMUP_SECONDS_MAX = 12;

  /** Rounds through the cache before measuring, for the nodes' and the client's code. */
  private static final int WARMUP_CACHE_ROUNDS = 4;

  private static final int PROGRESS_EVERY = 5;

  /** Room for all KV of the workload on each node: a prompt adds about 400 KiB on average. */
  private static final long SLAB_BYTES_PER_REQUEST = 512 << 10;

  private static final long SLAB_BYTES_MIN = 32 << 20;

  private final ObjectMapper json = new ObjectMapper();
  private final List<EngineProcess> engines;
  private final PrintStream progress;

  private Quickstart(List<EngineProcess> engines, PrintStream progress) {
    this.engines = List.copyOf(engines);
    this.progress = progress;
  }

  /**
   * Starts nodes and engines, measures, and stops them.
   *
   * @param kvasirHome the distribution, for its documentation
   * @param nodes number of nodes, at least 2
   * @param requests number of measured prompts
   * @param keep leave the nodes running
   * @param overrides {@code key=value} of the nodes' configuration
   * @param progress for people who wait
   * @throws IOException if a process fails; nothing is left behind then
   */
  public static QuickstartResult run(
      Path kvasirHome,
      int nodes,
      int requests,
      boolean keep,
      List<String> overrides,
      PrintStream progress)
      throws IOException {
    final long startNs = jvmStartNs();
    final Corpus corpus = Corpus.load(kvasirHome, Path.of(System.getProperty("java.home")));
    final List<Prompt> prompts = Workload.build(corpus, requests, nodes, SEED);
    progress.println("starting " + nodes + " nodes ...");
    final LocalCluster.Builder builder =
        LocalCluster.builder()
            .nodes(nodes)
            .slabBytes(SLAB_BYTES_MIN + requests * SLAB_BYTES_PER_REQUEST)
            .shortLived()
            .detachable(keep);
    overrides.forEach(builder::set);
    try (LocalCluster cluster = builder.start();
        Engines engines = Engines.start(cluster)) {
      final QuickstartResult result = new Quickstart(engines.all(), progress).run(prompts, startNs);
      if (keep) {
        LastRun.ofUser().write(cluster.directory());
        cluster.leaveRunning();
        reportKept(cluster, progress);
      }
      return result;
    }
  }

  /**
   * Warms up and measures.
   *
   * @param prompts measured in this order
   * @param startNs when the first process was started: this one
   */
  private QuickstartResult run(List<Prompt> prompts, long startNs) throws IOException {
    int chunkTokens = 0;
    for (final EngineProcess engine : engines) {
      chunkTokens = engine.awaitReady(START_LIMIT).path("chunkTokens").asInt();
    }
    warmUpModels();
    warmUpCache();
    final List<Measurement> measurements = new ArrayList<>();
    for (final Prompt prompt : prompts) {
      measurements.add(measure(prompt, measurements.size() % 2 == 0));
      report(measurements, prompts.size(), startNs);
    }
    return QuickstartResult.of(
        measurements, Workload.reusableShare(prompts, chunkTokens), secondsSince(startNs));
  }

  private Measurement measure(Prompt prompt, boolean cachedFirst) throws IOException {
    final EngineProcess engine = engines.get(prompt.node());
    final int[] tokens = prompt.tokens();
    final JsonNode cached;
    final JsonNode uncached;
    if (cachedFirst) {
      cached = prefill(engine, tokens, true);
      store(engine);
      uncached = prefill(engine, tokens, false);
    } else {
      uncached = prefill(engine, tokens, false);
      cached = prefill(engine, tokens, true);
      store(engine);
    }
    return Measurement.of(cached, uncached);
  }

  /** All engines compile at the same time: nothing is measured yet. */
  private void warmUpModels() throws IOException {
    progress.println("warming up " + engines.size() + " engines ...");
    final ObjectNode request = json.createObjectNode();
    request.put("op", "warmup").put("tokens", WARMUP_TOKENS).put("secondsMax", WARMUP_SECONDS_MAX);
    for (final EngineProcess engine : engines) {
      engine.send(request);
    }
    for (final EngineProcess engine : engines) {
      engine.receive(REQUEST_LIMIT);
    }
  }

  /** Random prompts that no measured one shares: stored by one engine, pulled by the others. */
  private void warmUpCache() throws IOException {
    final Random random = new Random(SEED);
    for (int round = 0; round < WARMUP_CACHE_ROUNDS; round++) {
      final int[] tokens = random.ints(WARMUP_TOKENS, 0, 100_000).toArray();
      for (int i = 0; i < engines.size(); i++) {
        final EngineProcess engine = engines.get((round + i) % engines.size());
        prefill(engine, tokens, true);
        store(engine);
      }
    }
  }

  private JsonNode prefill(EngineProcess engine, int[] tokens, boolean cache) throws IOException {
    final ObjectNode request = json.createObjectNode();
    request.put("op", "prefill").put("cache", cache);
    final ArrayNode ids = request.putArray("tokens");
    for (final int token : tokens) {
      ids.add(token);
    }
    return engine.call(request, REQUEST_LIMIT);
  }

  /** The next request may go to another node: it has to find what this one stored. */
  private void store(EngineProcess engine) throws IOException {
    engine.call(json.createObjectNode().put("op", "store").put("awaitIndex", true), REQUEST_LIMIT);
  }

  private void report(List<Measurement> measurements, int total, long startNs) {
    final int done = measurements.size();
    if (done % PROGRESS_EVERY == 0 || done == total) {
      final Measurement last = measurements.getLast();
      progress.println(
          String.format(
              Locale.ROOT,
              "%3d/%d requests, %.0f s; last: %,d tokens, %.0f %% found, first token after %.0f ms"
                  + " (without cache %.0f ms)",
              done,
              total,
              secondsSince(startNs),
              last.promptTokens(),
              100 * last.foundShare(),
              last.cachedTtftMs(),
              last.uncachedTtftMs()));
    }
  }

  private static void reportKept(LocalCluster cluster, PrintStream progress) {
    final StringBuilder pids = new StringBuilder();
    for (int i = 0; i < cluster.size(); i++) {
      final NodeInfo node = cluster.node(i).info();
      progress.println(
          "kept running: "
              + node.name()
              + ", pid "
              + node.pid()
              + ", run directory "
              + node.runDir());
      pids.append(' ').append(node.pid());
    }
    progress.println(
        "stop them with: kill"
            + pids
            + "; then delete "
            + cluster.directory()
            + " and "
            + Path.of(cluster.node(0).info().slabDir()).getParent());
  }

  private static long jvmStartNs() {
    final long startMillis = ManagementFactory.getRuntimeMXBean().getStartTime();
    return System.nanoTime()
        - TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis() - startMillis);
  }

  private static double secondsSince(long startNs) {
    return (System.nanoTime() - startNs) / NANOS_PER_SECOND;
  }
}
