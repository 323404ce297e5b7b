package io.kvasir.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A memory file system that is too small, or fills up: what a full /dev/shm is to a node. */
@Timeout(180)
class FullMemoryTest {
  /** Mounts the file system for the command behind it alone. */
  private static final String MOUNT_AND_RUN =
      "mount -t tmpfs -o size=\"$1\",mode=0700 kvasir-test \"$2\"; shift 2; exec \"$@\"";

  @TempDir private Path directory;

  /** How a process ended, and what it said. */
  private record Outcome(int exitCode, String said) {}

  @BeforeEach
  void mountOrSkip() throws Exception {
    final Outcome outcome = runIn("1m", List.of("true"));
    assumeTrue(
        outcome.exitCode() == 0,
        "this machine lets us mount no file system (root and unshare are needed): "
            + outcome.said());
  }

  @Test
  void shouldSayHowMuchIsMissingWhenTheSlabDoesNotFit() throws Exception {
    final Outcome outcome =
        runIn(
            "48m",
            java(
                NodeMain.class,
                "--set",
                "node.run-dir=" + directory.resolve("run"),
                "--set",
                "store.slab-dir=" + directory.resolve("small/slab"),
                "--set",
                "store.slab-bytes=64MiB"));
    assertEquals(1, outcome.exitCode(), outcome.said());
    assertTrue(outcome.said().contains("kvasir node: KVA-02"), outcome.said());
    assertTrue(outcome.said().contains("(limit="), outcome.said());
  }

  @Test
  void shouldServeOnWhenMemoryFillsUpAndPullAgainWhenThereIsRoom() throws Exception {
    final Outcome outcome =
        runIn(
            "48m",
            java(
                FullMemoryMain.class,
                directory.resolve("small").toString(),
                directory.resolve("elsewhere").toString()));
    System.out.println(
        outcome.said().lines().filter(line -> line.matches("[A-Z]{4,} .*|CLOSED")).toList());
    assertEquals(0, outcome.exitCode(), outcome.said());
    assertTrue(outcome.said().contains("CLOSED"), outcome.said());
  }

  private Outcome runIn(final String size, final List<String> command) throws Exception {
    final Path small = Files.createDirectories(directory.resolve("small"));
    final List<String> all = new ArrayList<>();
    all.addAll(List.of("unshare", "--mount", "--propagation", "private"));
    all.addAll(List.of("sh", "-euc", MOUNT_AND_RUN, "sh", size, small.toString()));
    all.addAll(command);
    try {
      final Process process = new ProcessBuilder(all).redirectErrorStream(true).start();
      final String said =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertTrue(process.waitFor(60, TimeUnit.SECONDS), said);
      return new Outcome(process.exitValue(), said);
    } catch (final IOException e) {
      return new Outcome(-1, String.valueOf(e.getMessage()));
    }
  }

  private static List<String> java(final Class<?> main, final String... arguments) {
    final List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("@" + Path.of(System.getProperty("kvasir.root"), "jvm.options"));
    command.addAll(List.of("-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp"));
    command.addAll(List.of(System.getProperty("java.class.path"), main.getName()));
    command.addAll(List.of(arguments));
    return command;
  }
}
