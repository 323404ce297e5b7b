package io.kvasir.cli.quickstart;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class QuickstartResultTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @Test
  void shouldCoverOnlyLongAndMostlyFoundPrompts() {
    final List<Measurement> all = new ArrayList<>();
    for (int i = 1; i <= 20; i++) {
      all.add(measurement(1_000, 400, 400, i, 10 * i));
    }
    all.add(measurement(999, 900, 0, 1e6, 1e6)); // too short
    all.add(measurement(1_000, 400, 399, 1e6, 1e6)); // too little found
    final QuickstartResult result = QuickstartResult.of(all, 0.7, 12);
    assertEquals(22, result.requests());
    assertEquals(20, result.ttftPrompts());
    assertEquals(10, result.ttftMs().cached().p50());
    assertEquals(19, result.ttftMs().cached().p95());
    assertEquals(100, result.ttftMs().uncached().p50());
    assertEquals(10, result.ttftRatio());
    assertEquals(20, result.buckets().get(4).prompts());
    assertEquals(1, result.buckets().get(3).prompts());
    assertEquals(1, result.buckets().get(5).prompts());
    assertEquals(8_399, result.tokens().peer());
  }

  @Test
  void shouldKeepTheNamesOfTheContract() throws IOException {
    final JsonNode json =
        JSON.valueToTree(
            QuickstartResult.of(List.of(measurement(1_000, 400, 500, 1, 10)), 0.7, 12));
    for (final String name :
        new String[] {
          "/requests",
          "/promptTokens",
          "/tokens/local",
          "/tokens/peer",
          "/tokens/computed",
          "/ttftPrompts",
          "/ttftMs/cached/p50",
          "/ttftMs/cached/p95",
          "/ttftMs/uncached/p50",
          "/ttftMs/uncached/p95",
          "/logitsCompared",
          "/logitsEqual",
          "/bytesMoved",
          "/seconds"
        }) {
      assertTrue(json.at(name).isNumber(), name + " in " + json);
    }
  }

  @Test
  void shouldFailWhenLogitsDifferOrNothingCameFromPeers() {
    assertTrue(QuickstartResult.of(List.of(measurement(100, 0, 64, 1, 1)), 0, 1).isSuccess());
    assertFalse(QuickstartResult.of(List.of(measurement(100, 64, 0, 1, 1)), 0, 1).isSuccess());
    assertFalse(QuickstartResult.of(List.of(), 0, 1).isSuccess());
    final Measurement different = new Measurement(100, 0, 64, 36, 1, 1, 1, 1, 4_096, 4_095);
    assertFalse(QuickstartResult.of(List.of(different), 0, 1).isSuccess());
  }

  @Test
  void shouldCountEqualLogitsBitByBit() throws IOException {
    final ObjectNode a = JSON.createObjectNode().put("logits", new byte[] {1, 2, 3, 4, 5, 6, 7, 8});
    final ObjectNode b = JSON.createObjectNode().put("logits", new byte[] {1, 2, 3, 4, 5, 6, 7, 9});
    assertEquals(2, Measurement.of(a, a).logitsEqual());
    assertEquals(1, Measurement.of(a, b).logitsEqual());
    assertEquals(2, Measurement.of(a, b).logitsCompared());
    final ObjectNode shorter = JSON.createObjectNode().put("logits", new byte[] {1, 2, 3, 4});
    assertEquals(1, Measurement.of(a, shorter).logitsEqual());
    assertEquals(2, Measurement.of(a, shorter).logitsCompared());
  }

  @Test
  void shouldPrintTheTableWhenNothingWasCovered() {
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
    QuickstartTable.print(QuickstartResult.of(List.of(measurement(100, 0, 64, 1, 1)), 0.5, 1), out);
    final String table = bytes.toString(StandardCharsets.UTF_8);
    assertTrue(table.contains("reused from peers"), table);
    assertFalse(table.contains("NaN"), table);
  }

  private static Measurement measurement(
      int tokens, int local, int peer, double cachedMs, double uncachedMs) {
    return new Measurement(
        tokens,
        local,
        peer,
        tokens - local - peer,
        peer,
        cachedMs,
        cachedMs / 2,
        uncachedMs,
        4_096,
        4_096);
  }
}
