package io.kvasir.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class DemoCommandTest {
  private static final Path HOME = Path.of("/home/u");

  @Test
  void shouldAskForADemoWhenNoneIsNamed() {
    Output output = Output.of("demo");
    assertEquals(2, output.exitCode(), output::toString);
  }

  @Test
  void shouldKnowTheHandoffDemo() {
    Output output = Output.of("demo", "prefill-decode", "--help");
    assertEquals(0, output.exitCode(), output::toString);
  }

  @Test
  void shouldRefuseADemoThatDoesNotExist() {
    Output output = Output.of("demo", "tensorflow");

    assertEquals(2, output.exitCode());
    assertTrue(output.err().contains("transformers"), output.err());
  }

  @Test
  void shouldUseTheCacheFolderOfTheUserWhenItIsAbsolute() {
    assertEquals(Path.of("/c/kvasir"), DemoCommand.cache(Map.of("XDG_CACHE_HOME", "/c"), HOME));
    assertEquals(
        Path.of("/home/u/.cache/kvasir"),
        DemoCommand.cache(Map.of("XDG_CACHE_HOME", "relative"), HOME));
    assertEquals(Path.of("/home/u/.cache/kvasir"), DemoCommand.cache(Map.of(), HOME));
  }

  @Test
  void shouldSumUpInTheLastLine() throws IOException {
    JsonNode result =
        new ObjectMapper()
            .readTree(
                """
                {"logitsCompared": 9, "logitsEqual": 8, "tokensFromPeer": 7,
                 "ttftMs": {"uncached": 100.0, "cached": 10.0, "inMemory": 9.0}}
                """);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DemoCommand.print(result, new PrintStream(bytes, true, StandardCharsets.UTF_8));

    String[] lines = bytes.toString(StandardCharsets.UTF_8).split(System.lineSeparator(), -1);
    assertEquals(
        "8 of 9 logits equal, 7 tokens from the other node, 10.0 times sooner than computed",
        lines[3]);
  }
}
