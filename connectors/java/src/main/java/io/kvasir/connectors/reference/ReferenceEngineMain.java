package io.kvasir.connectors.reference;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kvasir.connectors.client.KvasirException;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A {@link ReferenceEngine} as a process: one JSON object a line on standard input, one JSON object
 * a line as the answer on standard output. It ends with its standard input.
 *
 * <pre>
 * java … ReferenceEngineMain [ENGINE_SOCKET]          without a socket: no cache
 *
 * {"op":"warmup","tokens":2000,"secondsMax":8}        computes until compiled code no longer gets faster
 *   → {"rounds":6,"lastMs":455.0}
 * {"op":"prefill","tokens":[…],"cache":true}          cache defaults to true
 *   → {"promptTokens":…,"tokens":{"local":…,"peer":…,"computed":…},"peerBytes":…,"ttftMs":…,"loadMs":…,
 *      "logits":"base64 of little-endian floats","sha256":"hex of the same bytes","top":[ids of the 5 largest]}
 * {"op":"store","awaitIndex":true}                    stores the new chunks of the last prompt
 *   → {"storedChunks":…,"storeMs":…}
 * {"op":"handoff","tokens":[…],"handoff":"16 hex","decodeNode":"16 hex"}    computes all and hands it off meanwhile
 *   → as prefill, and "endNs": when the logits were there, on the clock of the machine
 * {"op":"await","tokens":[…],"handoff":"16 hex","secondsMax":10}            computes what is not handed to this node
 *   → as handoff
 * {"op":"produce","handoff":"16 hex","decodeNode":"16 hex","prompt":1,"chunks":24,"bytesPerSecond":0}
 *   → {"bytes":…,"endNs":…}                           KV at a given pace, without a model (see PacedHandoff)
 * {"op":"consume","handoff":"16 hex","prompt":1,"chunks":24,"secondsMax":10}
 *   → {"chunks":…,"wrongBytes":…}
 * {"op":"stats"}
 *   → {"loads":…,"failures":…,"connects":…,"storedChunks":…,"node":{…} or null}
 * {"op":"quit"}
 *   → {}
 * </pre>
 *
 * A line that is not understood is answered with {@code {"error":"KVA-…"}} and changes nothing. The
 * first line of output is {@code READY {"chunkTokens":…,"chunkBytes":…,"vocabulary":…}}.
 */
public final class ReferenceEngineMain {
  private static final double NANOS_PER_MILLI = 1e6;
  private static final int WARMUP_ROUNDS_MAX = 40;

  /** Rounds that must agree before compiled code is taken to be settled, and how closely. */
  private static final int SETTLED_ROUNDS = 3;

  private static final double SETTLED_SPREAD = 1.15;

  private final ObjectMapper json = new ObjectMapper();
  private final ReferenceEngine engine;
  private final ModelConfig config;
  private final @Nullable Path socket;
  private @Nullable PacedHandoff paced;

  private ReferenceEngineMain(ReferenceEngine engine, ModelConfig config, @Nullable Path socket) {
    this.engine = engine;
    this.config = config;
    this.socket = socket;
  }

  /** Serves until the end of standard input. */
  public static void main(String[] args) throws IOException {
    if (args.length > 1) {
      System.err.println("KVA-0544 usage: ReferenceEngineMain [ENGINE_SOCKET]");
      System.exit(2);
    }
    // Whatever a library prints must not get between the answers.
    final PrintStream answers =
        new PrintStream(new FileOutputStream(FileDescriptor.out), false, StandardCharsets.UTF_8);
    System.setOut(System.err);
    final ModelConfig config = ModelConfig.small();
    final Path socket = args.length == 0 ? null : Path.of(args[0]);
    try (ReferenceEngine engine =
            socket == null
                ? ReferenceEngine.withoutCache(config)
                : ReferenceEngine.withCache(config, socket);
        BufferedReader requests =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      new ReferenceEngineMain(engine, config, socket).serve(requests, answers);
    }
  }

  private void serve(BufferedReader requests, PrintStream answers) throws IOException {
    final ObjectNode ready = json.createObjectNode();
    ready.put("chunkTokens", config.chunkTokens());
    ready.put("chunkBytes", config.chunkBytes());
    ready.put("vocabulary", config.vocabulary());
    answers.println("READY " + ready);
    answers.flush();
    for (String line = requests.readLine(); line != null; line = requests.readLine()) {
      final ObjectNode answer = answer(line);
      answers.println(answer == null ? "{}" : answer.toString());
      answers.flush();
      if (answer == null) {
        break;
      }
    }
    if (paced != null) {
      paced.close();
    }
  }

  /** The answer, or null for quit. */
  private @Nullable ObjectNode answer(String line) {
    try {
      final JsonNode request = json.readTree(line);
      return switch (request.path("op").asText()) {
        case "warmup" -> warmUp(request);
        case "prefill" -> prefill(request);
        case "store" -> store(request);
        case "handoff" -> handOff(request);
        case "await" -> await(request);
        case "produce" -> paced().produce(request, json.createObjectNode());
        case "consume" -> paced().consume(request, json.createObjectNode());
        case "stats" -> stats();
        case "quit" -> null;
        default -> error("KVA-0545 unknown op - line=" + abbreviate(line));
      };
    } catch (JsonProcessingException e) {
      return error("KVA-0546 not a JSON object - line=" + abbreviate(line));
    } catch (IllegalArgumentException | KvasirException e) {
      return error(String.valueOf(e.getMessage()));
    }
  }

  private ObjectNode warmUp(JsonNode request) {
    final int length = request.path("tokens").asInt(config.tokensMax() / 2);
    final long limitNs = (long) (request.path("secondsMax").asDouble(10) * 1e9);
    final SplitMix64 random = new SplitMix64(config.seed());
    final int[] tokens = new int[length];
    for (int i = 0; i < length; i++) {
      tokens[i] = (int) (random.nextLong() >>> 48);
    }
    final double[] lastMs = new double[SETTLED_ROUNDS];
    Arrays.fill(lastMs, Double.MAX_VALUE);
    final long startNs = System.nanoTime();
    int rounds = 0;
    boolean settled = false;
    while (!settled && rounds < WARMUP_ROUNDS_MAX && System.nanoTime() - startNs < limitNs) {
      lastMs[rounds % SETTLED_ROUNDS] = engine.prefill(tokens, false).ttftNs() / NANOS_PER_MILLI;
      rounds++;
      final double fastest = Arrays.stream(lastMs).min().orElseThrow();
      settled = Arrays.stream(lastMs).max().orElseThrow() < fastest * SETTLED_SPREAD;
    }
    final ObjectNode answer = json.createObjectNode();
    answer.put("rounds", rounds);
    answer.put("lastMs", lastMs[Math.floorMod(rounds - 1, SETTLED_ROUNDS)]);
    return answer;
  }

  private ObjectNode prefill(JsonNode request) {
    return described(engine.prefill(tokens(request), request.path("cache").asBoolean(true)));
  }

  private ObjectNode handOff(JsonNode request) {
    final PrefillResult result =
        engine.prefillFor(tokens(request), id(request, "handoff"), id(request, "decodeNode"));
    final long endNs = System.nanoTime();
    return described(result).put("endNs", endNs);
  }

  private ObjectNode await(JsonNode request) {
    final PrefillResult result =
        engine.decode(tokens(request), id(request, "handoff"), limit(request));
    final long endNs = System.nanoTime();
    return described(result).put("endNs", endNs);
  }

  private PacedHandoff paced() {
    if (socket == null) {
      throw new IllegalArgumentException("KVA-0544 there is no engine socket to hand off through");
    }
    if (paced == null) {
      paced = PacedHandoff.connect(socket);
    }
    return paced;
  }

  static long id(JsonNode request, String field) {
    return Long.parseUnsignedLong(request.path(field).asText(), 16);
  }

  static Duration limit(JsonNode request) {
    return Duration.ofMillis((long) (1_000 * request.path("secondsMax").asDouble(10)));
  }

  private static int[] tokens(JsonNode request) {
    final JsonNode ids = request.path("tokens");
    final int[] tokens = new int[ids.size()];
    for (int i = 0; i < tokens.length; i++) {
      final JsonNode id = ids.get(i);
      if (!id.isInt()) {
        throw new IllegalArgumentException("KVA-0547 token ids must be integers - index=" + i);
      }
      tokens[i] = id.intValue();
    }
    return tokens;
  }

  private ObjectNode described(PrefillResult result) {
    final LogitsDigest digest = LogitsDigest.of(result.logits());
    final ObjectNode answer = json.createObjectNode();
    answer.put("promptTokens", result.promptTokens());
    final ObjectNode sources = answer.putObject("tokens");
    sources.put("local", result.localTokens());
    sources.put("peer", result.peerTokens());
    sources.put("computed", result.computedTokens());
    answer.put("peerBytes", result.peerBytes());
    answer.put("ttftMs", result.ttftNs() / NANOS_PER_MILLI);
    answer.put("loadMs", result.loadNs() / NANOS_PER_MILLI);
    answer.put("logits", digest.bytes());
    answer.put("sha256", digest.sha256());
    final ArrayNode top = answer.putArray("top");
    digest.top().forEach(top::add);
    return answer;
  }

  private ObjectNode store(JsonNode request) {
    final long startNs = System.nanoTime();
    final ObjectNode answer = json.createObjectNode();
    answer.put("storedChunks", engine.store(request.path("awaitIndex").asBoolean(true)));
    answer.put("storeMs", (System.nanoTime() - startNs) / NANOS_PER_MILLI);
    return answer;
  }

  private ObjectNode stats() throws JsonProcessingException {
    final ObjectNode answer = json.valueToTree(engine.counters());
    final String node = engine.nodeStats();
    answer.set("node", node == null ? json.nullNode() : json.readTree(node));
    return answer;
  }

  private ObjectNode error(String message) {
    return json.createObjectNode().put("error", message);
  }

  private static String abbreviate(String line) {
    return line.length() <= 80 ? line : line.substring(0, 80) + "…";
  }
}
