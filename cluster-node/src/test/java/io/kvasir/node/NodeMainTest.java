package io.kvasir.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.node.config.NodeConfig;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command line of a node, as far as it ends by itself. */
class NodeMainTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @Test
  void shouldPrintWhatIsInForceWhenAsked(@TempDir final Path folder) throws IOException {
    assertEquals(0, run("--print-config", "--set", "node.name=printed"));
    final Path file = Files.writeString(folder.resolve("printed.yaml"), text(out));
    assertEquals(
        NodeConfig.load(null, Map.of(), List.of("node.name=printed")),
        NodeConfig.load(file, Map.of(), List.of()));
  }

  @Test
  void shouldExitWithUsageErrorWhenOptionsAreWrong() {
    assertEquals(2, run("--nonsense"));
    assertEquals(2, run("--set"));
    assertEquals(2, run("--set", "store.slab-byte=1GiB"));
    assertEquals(2, run("--config", "/nowhere/node.yaml"));
    assertTrue(text(err).contains("did you mean store.slab-bytes?"), text(err));
    assertEquals(4, text(err).lines().count(), "one line each");
    assertEquals("", text(out));
  }

  @Test
  void shouldExitWithFailureAndLeaveNothingOpenWhenSlabDoesNotFit(@TempDir final Path folder) {
    final int code =
        run(
            "--set",
            "node.run-dir=" + folder.resolve("run"),
            "--set",
            "store.slab-dir=" + folder.resolve("slab"),
            "--set",
            "store.slab-bytes=7TiB");
    assertEquals(1, code);
    assertTrue(text(err).contains("KVA-02"), text(err));
    assertEquals(1, text(err).lines().count(), text(err));
    assertEquals("", text(out));
    assertFalse(Files.exists(folder.resolve("run").resolve("engine.sock")));
  }

  private int run(final String... args) {
    return NodeMain.run(
        args,
        new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8));
  }

  private static String text(final ByteArrayOutputStream stream) {
    return stream.toString(StandardCharsets.UTF_8);
  }
}
