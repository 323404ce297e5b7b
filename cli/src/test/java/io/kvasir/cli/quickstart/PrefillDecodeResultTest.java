package io.kvasir.cli.quickstart;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

final class PrefillDecodeResultTest {
  private static PrefillDecodeResult.Builder measured(int equal) {
    PrefillDecodeResult.Builder builder = new PrefillDecodeResult.Builder();
    builder.prompt(10, 10, 2_000, 8, 400, 1.01, 0.9);
    builder.prompt(10, equal, 2_048, 10, 420, 1.05, 0.95);
    builder.prompt(10, 10, 2_048, 30, 600, 1.03, 0.2);
    return builder;
  }

  @Test
  void shouldTakeMediansWhenThereAreSeveralPrompts() throws Exception {
    PrefillDecodeResult result = measured(10).build(12);
    JsonNode json = new ObjectMapper().valueToTree(result);
    assertEquals(30, json.path("logitsCompared").asInt());
    assertEquals(30, json.path("logitsEqual").asInt());
    assertEquals(0.9, json.path("overlap").asDouble());
    assertEquals(10, json.path("ttftMs").path("handoff").asDouble());
    assertEquals(420, json.path("ttftMs").path("recompute").asDouble());
    assertEquals(1.03, json.path("prefillSlowdown").asDouble());
    assertFalse(json.has("overlapPaced"));
    assertFalse(json.has("success"));
    assertTrue(result.isSuccess());
    assertEquals(2.5, PrefillDecodeResult.median(List.of(4.0, 1.0, 2.0, 3.0)));
  }

  @Test
  void shouldFailWhenALogitOrAByteIsWrong() {
    assertFalse(measured(9).build(1).isSuccess());
    PrefillDecodeResult.Builder wrong = measured(10);
    wrong.wrongBytes(1);
    assertFalse(wrong.build(1).isSuccess());
  }

  @Test
  void shouldSumUpInTheLastLine() {
    PrefillDecodeResult.Builder builder = measured(10);
    builder.paced(0.85);
    builder.lane(1e9);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    builder.build(12).print(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    List<String> lines = bytes.toString(StandardCharsets.UTF_8).lines().toList();
    assertTrue(lines.get(3).contains("0.850"), lines.get(3));
    assertEquals(
        "30 of 30 logits equal, 6,096 tokens handed off, 42.0 times sooner than recomputed, 12.0 s",
        lines.getLast());
  }
}
