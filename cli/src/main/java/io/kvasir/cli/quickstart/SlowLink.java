package io.kvasir.cli.quickstart;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kvasir.node.local.LocalCluster;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Shows what the cache costs where it cannot win: measures how fast an engine computes, caps what a
 * node sends so that pulling the same KV takes three times as long, and runs prompts whose KV only
 * the other node has, with and without the cache. The node is to advise against the pull.
 */
public final class SlowLink {
  /** Pulling takes so many times as long as computing. */
  private static final int SLOWER = 3;

  private static final long SEED = 3;
  private static final int PROMPT_TOKENS = 1_800;
  private static final int RATE_PROMPTS = 5;
  private static final double WARMUP_SECONDS_MAX = 12;

  /** Pulls that are given up at the engine's limit, by which the reader's node learns the link. */
  private static final int WARMUP_PROMPTS = 4;

  private static final long SLAB_BYTES_MIN = 32 << 20;
  private static final Duration START_LIMIT = Duration.ofSeconds(60);
  private static final Duration REQUEST_LIMIT = Duration.ofSeconds(60);
  private static final double MILLIS_PER_SECOND = 1e3;
  private static final double NANOS_PER_SECOND = 1e9;

  private final ObjectMapper json = new ObjectMapper();
  private final Random random = new Random(SEED);
  private final PrintStream progress;
  private final long startNs = System.nanoTime();
  private double tokensPerSecond;
  private long bytesPerToken;

  private SlowLink(PrintStream progress) {
    this.progress = progress;
  }

  /**
   * Measures.
   *
   * @param prompts number of measured prompts
   * @param progress for people who wait
   * @throws IOException if a process fails; nothing is left behind then
   */
  public static SlowLinkResult run(int prompts, PrintStream progress) throws IOException {
    return new SlowLink(progress).run(prompts);
  }

  private SlowLinkResult run(int prompts) throws IOException {
    measureEngine();
    final long breakEven = Math.round(tokensPerSecond * bytesPerToken);
    final long link = breakEven / SLOWER;
    progress.printf("starting 2 nodes that send at most %,d bytes in a second ...%n", link);
    final long slabBytes =
        SLAB_BYTES_MIN + (prompts + WARMUP_PROMPTS) * 2L * PROMPT_TOKENS * bytesPerToken;
    try (LocalCluster cluster =
            LocalCluster.builder()
                .nodes(2)
                .slabBytes(slabBytes >>> 20 << 20)
                .set("transport.demand-bytes-per-second=" + link)
                .shortLived()
                .start();
        Engines engines = Engines.start(cluster)) {
      final EngineProcess writer = engines.all().get(0);
      final EngineProcess reader = engines.all().get(1);
      writer.awaitReady(START_LIMIT);
      reader.awaitReady(START_LIMIT);
      progress.println("warming up 2 engines ...");
      warmUp(List.of(writer, reader));
      for (int i = 0; i < WARMUP_PROMPTS; i++) {
        final int[] tokens = prompt();
        store(writer, tokens);
        prefill(reader, tokens, true);
      }
      final JsonNode before = cacheCounters(reader);
      final List<Measurement> measurements = new ArrayList<>();
      for (int i = 0; i < prompts; i++) {
        measurements.add(measure(writer, reader, i % 2 == 0));
      }
      final JsonNode after = cacheCounters(reader);
      return SlowLinkResult.of(
          measurements,
          new SlowLinkResult.Rates(Math.round(tokensPerSecond), breakEven, link),
          new SlowLinkResult.Chunks(
              grown(before, after, "lookupFound"), grown(before, after, "lookupWorth")),
          MILLIS_PER_SECOND * PROMPT_TOKENS * bytesPerToken / link,
          (System.nanoTime() - startNs) / NANOS_PER_SECOND);
    }
  }

  /** Before there is a link: its cap depends on the engine. */
  private void measureEngine() throws IOException {
    progress.println("measuring how fast an engine computes ...");
    final Path log = Files.createTempFile("kvasir-engine-", ".log");
    try (EngineProcess engine = EngineProcess.start("engine", null, log)) {
      final JsonNode ready = engine.awaitReady(START_LIMIT);
      bytesPerToken = ready.path("chunkBytes").asLong() / ready.path("chunkTokens").asLong();
      warmUp(List.of(engine));
      final List<Double> ttftMs = new ArrayList<>();
      for (int i = 0; i < RATE_PROMPTS; i++) {
        ttftMs.add(prefill(engine, prompt(), false).path("ttftMs").asDouble());
      }
      tokensPerSecond = MILLIS_PER_SECOND * PROMPT_TOKENS / PrefillDecodeResult.median(ttftMs);
    } finally {
      Files.deleteIfExists(log);
    }
  }

  private Measurement measure(EngineProcess writer, EngineProcess reader, boolean cachedFirst)
      throws IOException {
    final int[] tokens = prompt();
    store(writer, tokens);
    final JsonNode first = prefill(reader, tokens, cachedFirst);
    final JsonNode second = prefill(reader, tokens, !cachedFirst);
    return cachedFirst ? Measurement.of(first, second) : Measurement.of(second, first);
  }

  private void warmUp(List<EngineProcess> engines) throws IOException {
    final ObjectNode request = json.createObjectNode();
    request.put("op", "warmup").put("tokens", PROMPT_TOKENS).put("secondsMax", WARMUP_SECONDS_MAX);
    for (final EngineProcess engine : engines) {
      engine.send(request);
    }
    for (final EngineProcess engine : engines) {
      engine.receive(REQUEST_LIMIT);
    }
  }

  private int[] prompt() {
    return random.ints(PROMPT_TOKENS, 0, 100_000).toArray();
  }

  private void store(EngineProcess writer, int[] tokens) throws IOException {
    prefill(writer, tokens, false);
    writer.call(json.createObjectNode().put("op", "store").put("awaitIndex", true), REQUEST_LIMIT);
  }

  private JsonNode prefill(EngineProcess engine, int[] tokens, boolean cache) throws IOException {
    final ObjectNode request = json.createObjectNode().put("op", "prefill").put("cache", cache);
    final ArrayNode ids = request.putArray("tokens");
    for (final int token : tokens) {
      ids.add(token);
    }
    return engine.call(request, REQUEST_LIMIT);
  }

  private JsonNode cacheCounters(EngineProcess engine) throws IOException {
    return engine
        .call(json.createObjectNode().put("op", "stats"), REQUEST_LIMIT)
        .path("node")
        .path("cache");
  }

  private static long grown(JsonNode before, JsonNode after, String counter) {
    return after.path(counter).asLong() - before.path(counter).asLong();
  }
}
