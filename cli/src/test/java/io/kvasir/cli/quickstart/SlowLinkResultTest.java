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

final class SlowLinkResultTest {
  private static SlowLinkResult result(double cachedMs, int equal, long found) {
    final Measurement one = new Measurement(1_800, 0, 0, 1_800, 0, cachedMs, 2, 400, 10, equal);
    return SlowLinkResult.of(
        List.of(one, one, one),
        new SlowLinkResult.Rates(4_500, 9_000_000, 3_000_000),
        new SlowLinkResult.Chunks(found, 0),
        1_200,
        60);
  }

  @Test
  void shouldSucceedWhenTheCacheCostsNoMoreThanItMay() throws Exception {
    final SlowLinkResult good = result(410, 10, 42);
    assertTrue(good.isSuccess());
    final JsonNode json = new ObjectMapper().valueToTree(good);
    assertEquals(400.0 / 410, json.path("ttftRatioThrottled").asDouble(), 1e-9);
    assertEquals(3_000_000, json.path("rates").path("linkBytesPerSecond").asLong());
    assertEquals(410, json.path("ttftMs").path("cached").path("p50").asDouble());
    assertFalse(json.has("success"));
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    good.print(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    assertTrue(bytes.toString(StandardCharsets.UTF_8).contains("0.976"));
  }

  @Test
  void shouldFailWhenTheCacheIsSlowerOrWrongOrHadNothing() {
    assertFalse(result(421, 10, 42).isSuccess());
    assertFalse(result(410, 9, 42).isSuccess());
    assertFalse(result(410, 10, 0).isSuccess());
  }
}
