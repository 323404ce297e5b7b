package io.kvasir.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NodeCommandTest {
  @TempDir private Path folder;

  @Test
  void shouldPrintWhatIsInForceInAFormThatItReadsBack() throws IOException {
    Path file = folder.resolve("node.yaml");
    Files.writeString(file, "node:\n  name: first\nstore:\n  slab-bytes: 2GiB\n");
    Output printed =
        Output.of(
            "node", "--config", file.toString(), "--set", "node.name=second", "--print-config");
    assertEquals(0, printed.exitCode(), printed.err());
    assertTrue(printed.out().contains("name: \"second\""), printed.out());
    assertTrue(printed.out().contains("slab-bytes: 2GiB"), printed.out());
    assertEquals("", printed.err());

    Path again = folder.resolve("again.yaml");
    Files.writeString(again, printed.out());
    assertEquals(
        printed.out(), Output.of("node", "--print-config", "--config", again.toString()).out());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "node --config",
        "node --set",
        "node --no-such-option",
        "node stray",
        "node --print-config --config /no/such/file",
        "node --print-config --set no-equals-sign",
        "node --print-config --set no.such-key=1",
        "status --run-dir",
        "status stray",
        "doctor --config",
        "doctor --no-such-option"
      })
  void shouldExitWithTwoWhenUsedWrongly(String commandLine) {
    Output output = Output.of(commandLine.split(" "));
    assertEquals(2, output.exitCode(), output.err());
    assertEquals("", output.out());
    assertTrue(!output.err().isBlank(), "says nothing");
  }

  @ParameterizedTest
  @ValueSource(strings = {"node", "status", "doctor"})
  void shouldExplainItself(String command) {
    Output output = Output.of(command, "--help");
    assertEquals(0, output.exitCode());
    assertTrue(output.out().startsWith("Usage: kvasir " + command), output.out());
  }
}
