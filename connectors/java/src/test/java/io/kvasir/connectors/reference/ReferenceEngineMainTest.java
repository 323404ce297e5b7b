package io.kvasir.connectors.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 2, unit = TimeUnit.MINUTES)
final class ReferenceEngineMainTest {
  private static final String PREFILL =
      "{\"op\":\"prefill\",\"tokens\":" + Arrays.toString(BitsProbe.tokens(200)) + "}";

  private final ObjectMapper json = new ObjectMapper();

  @Test
  void shouldAnswerEachLineAndEndWithItsInput() throws Exception {
    final List<String> answers =
        run(
            List.of(),
            PREFILL,
            "{\"op\":\"store\"}",
            PREFILL.replace("}", ",\"cache\":false}"),
            "{\"op\":\"stats\"}");
    assertTrue(answers.get(0).startsWith("READY {\"chunkTokens\":64"), answers.get(0));
    final JsonNode first = json.readTree(answers.get(1));
    assertEquals(200, first.at("/tokens/computed").asInt());
    assertEquals(0, first.at("/tokens/local").asInt());
    assertEquals(5, first.path("top").size());
    assertEquals(
        ModelConfig.small().vocabulary() * Float.BYTES, first.path("logits").binaryValue().length);
    assertEquals(0, json.readTree(answers.get(2)).path("storedChunks").asInt(-1));
    assertEquals(first.path("sha256"), json.readTree(answers.get(3)).path("sha256"));
    assertTrue(json.readTree(answers.get(4)).path("node").isNull());
    assertEquals(5, answers.size());
  }

  @Test
  void shouldNameTheProblemWhenLineIsWrong() throws Exception {
    final String[] wrong = {
      "",
      "not json",
      "[]",
      "{\"op\":\"fly\"}",
      "{\"op\":\"prefill\"}",
      "{\"op\":\"prefill\",\"tokens\":[1,\"a\"]}",
      "{\"op\":\"prefill\",\"tokens\":[1,-1]}".replace("[1,", "[1," + "7,".repeat(70)),
      "{\"op\":\"prefill\",\"tokens\":" + Arrays.toString(new int[5_000]) + "}"
    };
    final List<String> lines = new ArrayList<>(List.of(wrong));
    lines.add("{\"op\":\"quit\"}");
    lines.add("{\"op\":\"stats\"}");
    final List<String> answers = run(List.of(), lines.toArray(String[]::new));
    for (int i = 0; i < wrong.length; i++) {
      assertTrue(answers.get(1 + i).startsWith("{\"error\":\"KVA-"), answers.get(1 + i));
    }
    assertEquals("{}", answers.get(1 + wrong.length));
    assertEquals(2 + wrong.length, answers.size());
  }

  @Test
  void shouldComputeWhenNoNodeListens(@TempDir Path folder) throws Exception {
    final List<String> answers =
        run(
            List.of(folder.resolve("engine.sock").toString()),
            PREFILL,
            "{\"op\":\"store\"}",
            "{\"op\":\"stats\"}");
    assertEquals(200, json.readTree(answers.get(1)).at("/tokens/computed").asInt());
    assertEquals(0, json.readTree(answers.get(2)).path("storedChunks").asInt(-1));
    assertTrue(json.readTree(answers.get(3)).path("failures").asInt() > 0);
  }

  private static List<String> run(List<String> arguments, String... lines) throws Exception {
    final List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(ReferenceEngineMain.class.getName());
    command.addAll(arguments);
    final Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    try (BufferedReader answers =
            new BufferedReader(
                new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        Writer requests =
            new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8)) {
      requests.write(String.join("\n", lines) + "\n");
      requests.flush();
      process.getOutputStream().close();
      final List<String> all = answers.lines().toList();
      assertTrue(process.waitFor(20, TimeUnit.SECONDS));
      assertEquals(0, process.exitValue());
      return all;
    } finally {
      process.destroyForcibly();
    }
  }
}
