package io.kvasir.cli.quickstart;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kvasir.node.local.LocalCluster;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * Prefill on one engine, decode on another: the first hands the KV over, layer by layer, while it
 * still computes. Beside it the decode engine computes the same prompt from nothing. Every prompt
 * is new to both.
 */
public final class PrefillDecode {
  private static final long SEED = 2;
  private static final int PROMPTS = 9;
  private static final int PROMPT_TOKENS_MIN = 2_000;
  private static final int PROMPT_TOKENS_MAX = 2_400;
  private static final int WARMUP_TOKENS = 1_800;
  private static final double WARMUP_SECONDS_MAX = 12;
  private static final int WARMUP_HANDOFFS = 8;
  private static final int PACED_ROUNDS = 7;
  private static final int PACED_WARMUP_ROUNDS = 4;
  private static final int PACED_CHUNKS = 16;

  /** Of the rate at which slices go when all are there. */
  private static final double PACE = 0.7;

  private static final long SLAB_BYTES = 512L << 20;
  private static final long NO_NODE = 1;
  private static final Duration START_LIMIT = Duration.ofSeconds(60);
  private static final Duration REQUEST_LIMIT = Duration.ofSeconds(60);
  private static final double NANOS_PER_MILLI = 1e6;
  private static final double NANOS_PER_SECOND = 1e9;

  private final ObjectMapper json = new ObjectMapper();
  private final Random random = new Random(SEED);
  private final LocalCluster cluster;
  private final EngineProcess prefill;
  private final EngineProcess decode;
  private final String decodeNode;
  private final PrintStream progress;
  private long lastHandoff = random.nextLong() >>> 1;
  private int lastPacedPrompt;

  private PrefillDecode(LocalCluster cluster, Engines engines, PrintStream progress) {
    this.cluster = cluster;
    this.prefill = engines.all().get(0);
    this.decode = engines.all().get(1);
    this.decodeNode = cluster.node(1).info().nodeId();
    this.progress = progress;
  }

  /** When slices of a hand-off went. */
  private record Times(long firstNs, long lastNs, long endOfPrefillNs) {
    /** The part of the transfer that lay before the end of prefill. */
    double overlap() {
      return 1 - (double) Math.max(0, lastNs - endOfPrefillNs) / (lastNs - firstNs);
    }
  }

  /**
   * Starts two nodes and two engines, measures, and stops them.
   *
   * @param kvasirHome the distribution, for its documentation
   * @param isPaced also hand off KV that is made at 0.7 times the rate of the lane
   * @param progress for people who wait
   * @throws IOException if a process fails; nothing is left behind then
   */
  public static PrefillDecodeResult run(Path kvasirHome, boolean isPaced, PrintStream progress)
      throws IOException {
    final long startNs = System.nanoTime();
    final Corpus corpus = Corpus.load(kvasirHome, Path.of(System.getProperty("java.home")));
    progress.println("starting 2 nodes ...");
    try (LocalCluster cluster =
            LocalCluster.builder().nodes(2).slabBytes(SLAB_BYTES).shortLived().start();
        Engines engines = Engines.start(cluster)) {
      return new PrefillDecode(cluster, engines, progress).run(corpus, isPaced, startNs);
    }
  }

  private PrefillDecodeResult run(Corpus corpus, boolean isPaced, long startNs) throws IOException {
    prefill.awaitReady(START_LIMIT);
    decode.awaitReady(START_LIMIT);
    warmUp();
    final PrefillDecodeResult.Builder result = new PrefillDecodeResult.Builder();
    for (int i = 0; i < PROMPTS; i++) {
      final int length = random.nextInt(PROMPT_TOKENS_MIN, PROMPT_TOKENS_MAX + 1);
      measure(corpus.take(length), i % 2 == 0, result);
      progress.println("prompt " + (i + 1) + "/" + PROMPTS + ": " + result.last());
    }
    if (isPaced) {
      paced(result);
    }
    return result.build((System.nanoTime() - startNs) / NANOS_PER_SECOND);
  }

  private void warmUp() throws IOException {
    progress.println("warming up 2 engines ...");
    final ObjectNode request = json.createObjectNode();
    request.put("op", "warmup").put("tokens", WARMUP_TOKENS).put("secondsMax", WARMUP_SECONDS_MAX);
    prefill.send(request);
    decode.send(request);
    prefill.receive(REQUEST_LIMIT);
    decode.receive(REQUEST_LIMIT);
    for (int i = 0; i < WARMUP_HANDOFFS; i++) {
      handOff(random.ints(WARMUP_TOKENS, 0, 100_000).toArray());
    }
  }

  private record HandedOff(JsonNode prefilled, JsonNode decoded, Times times) {}

  private void measure(int[] tokens, boolean isAloneFirst, PrefillDecodeResult.Builder result)
      throws IOException {
    double aloneMs = isAloneFirst ? alone(prefill, tokens).path("ttftMs").asDouble() : 0;
    final HandedOff handedOff = handOff(tokens);
    if (!isAloneFirst) {
      aloneMs = alone(prefill, tokens).path("ttftMs").asDouble();
    }
    final JsonNode recomputed = alone(decode, tokens);
    final JsonNode decoded = handedOff.decoded();
    final int[] wanted = bits(recomputed);
    final int[] got = bits(decoded);
    int equal = 0;
    for (int i = 0; i < wanted.length; i++) {
      equal += wanted[i] == got[i] ? 1 : 0;
    }
    result.prompt(
        wanted.length,
        equal,
        decoded.path("promptTokens").asInt() - decoded.path("tokens").path("computed").asInt(),
        (decoded.path("endNs").asLong() - handedOff.times().endOfPrefillNs()) / NANOS_PER_MILLI,
        recomputed.path("ttftMs").asDouble(),
        handedOff.prefilled().path("ttftMs").asDouble() / aloneMs,
        handedOff.times().overlap());
  }

  /** The decode engine waits before the prefill begins, as a router would have it. */
  private HandedOff handOff(int[] tokens) throws IOException {
    final String id = Long.toHexString(++lastHandoff);
    decode.send(request("await", tokens).put("handoff", id).put("secondsMax", 30));
    final JsonNode prefilled =
        prefill.call(
            request("handoff", tokens).put("handoff", id).put("decodeNode", decodeNode),
            REQUEST_LIMIT);
    final JsonNode decoded = decode.receive(REQUEST_LIMIT);
    return new HandedOff(prefilled, decoded, times(prefilled));
  }

  private Times times(JsonNode sent) throws IOException {
    return new Times(
        cluster.node(0).stats().path("handoffs").path("firstSliceNs").asLong(),
        cluster.node(1).stats().path("handoffs").path("lastSliceNs").asLong(),
        sent.path("endNs").asLong());
  }

  private JsonNode alone(EngineProcess engine, int[] tokens) throws IOException {
    return engine.call(request("prefill", tokens).put("cache", false), REQUEST_LIMIT);
  }

  private ObjectNode request(String op, int[] tokens) {
    final ObjectNode request = json.createObjectNode().put("op", op);
    final ArrayNode ids = request.putArray("tokens");
    Arrays.stream(tokens).forEach(ids::add);
    return request;
  }

  private static int[] bits(JsonNode answer) throws IOException {
    final byte[] bytes = answer.path("logits").binaryValue();
    final int[] bits = new int[bytes.length / Integer.BYTES];
    ByteBuffer.wrap(bytes).asIntBuffer().get(bits);
    return bits;
  }

  // Paced.

  private void paced(PrefillDecodeResult.Builder result) throws IOException {
    progress.println("handing off at " + PACE + " times the rate of the lane ...");
    final List<Double> rates = new ArrayList<>();
    for (int i = 0; i < PACED_WARMUP_ROUNDS + PACED_ROUNDS; i++) {
      final int prompt = ++lastPacedPrompt;
      // All chunks are there before they are handed to the decode node.
      prefill.call(produce(prompt, 0, Long.toHexString(NO_NODE)), REQUEST_LIMIT);
      final Times times = produceAndConsume(prompt, 0, result);
      if (i >= PACED_WARMUP_ROUNDS) {
        rates.add(
            PACED_CHUNKS
                * (double) (4 << 20)
                / (times.lastNs() - times.firstNs())
                * NANOS_PER_SECOND);
      }
    }
    final double bytesPerSecond = PrefillDecodeResult.median(rates);
    for (int i = 0; i < PACED_ROUNDS; i++) {
      final Times times = produceAndConsume(++lastPacedPrompt, PACE * bytesPerSecond, result);
      result.paced(times.overlap());
    }
    result.lane(bytesPerSecond);
  }

  private Times produceAndConsume(
      int prompt, double bytesPerSecond, PrefillDecodeResult.Builder result) throws IOException {
    final ObjectNode produce = produce(prompt, bytesPerSecond, decodeNode);
    decode.send(
        json.createObjectNode()
            .put("op", "consume")
            .put("handoff", produce.path("handoff").asText())
            .put("prompt", prompt)
            .put("chunks", PACED_CHUNKS));
    final JsonNode produced = prefill.call(produce, REQUEST_LIMIT);
    final JsonNode consumed = decode.receive(REQUEST_LIMIT);
    if (consumed.path("chunks").asInt() != PACED_CHUNKS) {
      throw new IOException(
          "KVA-0607 a paced hand-off did not arrive - chunks="
              + consumed.path("chunks").asInt()
              + " (expected="
              + PACED_CHUNKS
              + "); see the logs of the nodes");
    }
    result.wrongBytes(consumed.path("wrongBytes").asLong());
    return times(produced);
  }

  private ObjectNode produce(int prompt, double bytesPerSecond, String node) {
    return json.createObjectNode()
        .put("op", "produce")
        .put("handoff", Long.toHexString(++lastHandoff))
        .put("decodeNode", node)
        .put("prompt", prompt)
        .put("chunks", PACED_CHUNKS)
        .put("bytesPerSecond", bytesPerSecond);
  }
}
