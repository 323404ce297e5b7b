package io.kvasir.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ChildProcessTest {
  private static final Duration LONG = Duration.ofMinutes(2);

  /** Says who runs in the file of its first argument, and would run for long. */
  private static final String FAMILY =
      """
      sleep 600 &
      echo $$ $! > "$1.part"
      mv "$1.part" "$1"
      wait
      """;

  @TempDir private Path folder;

  @Test
  void shouldTellStatusAndOutputWhenAProgramEnds() throws Exception {
    ChildProcess ended =
        ChildProcess.run(new ProcessBuilder("sh", "-c", "echo words; exit 3"), LONG);

    assertEquals(new ChildProcess(3, "words\n"), ended);
  }

  @Test
  void shouldFailWhenThereIsNoSuchProgram() {
    String missing = folder.resolve("missing").toString();

    assertThrows(IOException.class, () -> ChildProcess.run(new ProcessBuilder(missing), LONG));
  }

  @Test
  void shouldEndAProgramAndItsChildrenWhenTheTimeIsOver() throws Exception {
    Path pids = folder.resolve("pids");
    ProcessBuilder builder = new ProcessBuilder("sh", "-c", FAMILY, "sh", pids.toString());

    IOException failure =
        assertThrows(IOException.class, () -> ChildProcess.run(builder, Duration.ofSeconds(2)));

    assertTrue(String.valueOf(failure.getMessage()).contains("KVA-0154"), failure::toString);
    if (Files.exists(pids)) { // else it was ended before it had begun
      assertEnded(pids);
    }
  }

  /** As a service manager ends a command: the signal reaches the command alone. */
  @Test
  void shouldEndTheDemoAndItsChildrenWhenTheCommandIsTerminated() throws Exception {
    Path pids = folder.resolve("pids");
    Path environment = Files.createDirectories(folder.resolve("cache/kvasir/transformers/bin"));
    Path python = environment.resolve("python");
    Files.writeString(python, "#!/bin/sh\nset -- '" + pids + "'\n" + FAMILY);
    assertTrue(python.toFile().setExecutable(true));
    Files.write(environment.resolveSibling("complete"), DemoCommand.PACKAGES);

    Process demo = startDemo();
    try {
      while (!Files.exists(pids)) {
        assertTrue(demo.isAlive(), () -> "the demo ended: " + errors());
        Thread.sleep(20);
      }
      demo.destroy();
      assertTrue(demo.waitFor(LONG), "the demo does not end");
      assertEnded(pids);
    } finally {
      demo.descendants().forEach(ProcessHandle::destroyForcibly);
      demo.destroyForcibly();
    }
  }

  private Process startDemo() throws IOException {
    String root = System.getProperty("kvasir.root", "");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("@" + Path.of(root, "jvm.options"));
    // Where the distribution lies, so that the sources of the connectors are found.
    command.add("-Dkvasir.home=" + Path.of(root, "cli/target/kvasir"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Kvasir.class.getName()));
    command.addAll(List.of("demo", "transformers"));
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(folder.resolve("stderr").toFile());
    builder.environment().put("XDG_CACHE_HOME", folder.resolve("cache").toString());
    return builder.start();
  }

  private String errors() {
    try {
      return Files.readString(folder.resolve("stderr"));
    } catch (IOException e) {
      return e.toString();
    }
  }

  private static void assertEnded(Path pids) throws Exception {
    List<String> words = List.of(Files.readString(pids).strip().split(" ", -1));
    assertEquals(2, words.size(), words::toString);
    for (String pid : words) {
      ProcessHandle.of(Long.parseLong(pid))
          .ifPresent(
              process -> process.onExit().orTimeout(LONG.toSeconds(), TimeUnit.SECONDS).join());
      assertFalse(ProcessHandle.of(Long.parseLong(pid)).map(ProcessHandle::isAlive).orElse(false));
    }
  }
}
