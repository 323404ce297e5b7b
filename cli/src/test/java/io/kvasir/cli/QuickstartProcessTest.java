package io.kvasir.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.kvasir.node.NodeInfo;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The quickstart as a user starts it: a process with children, that ends or is interrupted. */
@Timeout(300)
class QuickstartProcessTest {
  private static final JsonMapper MAPPER = JsonMapper.builder().build();
  private static final int EXIT_SECONDS_MAX = 60;

  /** As a shell says it: 128 and the number of SIGINT. */
  private static final int INTERRUPTED = 130;

  @TempDir private Path folder;

  @Test
  void shouldKeepNodesThatStatusFindsAndThatStopWhenAsked() throws Exception {
    final Path json = folder.resolve("quickstart.json");
    final List<Path> left = new ArrayList<>();
    final List<NodeInfo> nodes = new ArrayList<>();
    final Process quickstart =
        start("quickstart", "--nodes", "2", "--requests", "6", "--keep", "--json", json.toString());
    try {
      quickstart.inputReader().lines().forEach(line -> {});
      assertEquals(0, exitCode(quickstart), this::errors);
      assertEquals(6, MAPPER.readTree(json.toFile()).path("requests").asInt());
      nodes.addAll(nodes());
      assertEquals(2, nodes.size());
      nodes.forEach(node -> left.addAll(folders(node)));

      final JsonNode status = status();
      assertEquals(2, status.path("nodes").size());
      assertEquals(2, status.path("members").size());
      assertEquals(0, status.path("problems").size());
      assertTrue(status.path("nodes").path(0).path("chunks").asInt() > 0, status::toString);

      for (final NodeInfo node : nodes) {
        assertTrue(errors().contains(Long.toString(node.pid())), "the user is told which process");
        ProcessHandle.of(node.pid()).orElseThrow().destroy();
      }
      for (final NodeInfo node : nodes) {
        awaitEnd(node.pid());
        assertFalse(Files.exists(Path.of(node.engineSocket())), "the socket is gone");
        assertFalse(Files.exists(Path.of(node.runDir(), NodeInfo.FILE_NAME)));
        assertTrue(Files.exists(Path.of(node.slabDir())), "its chunks stay for the next start");
      }
      final Process after = start("status");
      after.inputReader().lines().forEach(line -> {});
      assertEquals(1, exitCode(after));
      assertTrue(errors().contains("KVA-0132"), this::errors);
    } finally {
      nodes.forEach(node -> ProcessHandle.of(node.pid()).ifPresent(ProcessHandle::destroyForcibly));
      quickstart.destroyForcibly();
      for (final Path directory : left) {
        delete(directory);
      }
    }
  }

  @Test
  void shouldLeaveNoProcessAndNoFileWhenInterrupted() throws Exception {
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/setsid")), "no setsid (util-linux) here");
    final Process quickstart = start("quickstart", "--nodes", "2", "--requests", "64");
    try {
      // Nodes and engines run, and compute.
      awaitSaid(quickstart, "warming up");
      final List<ProcessHandle> children = quickstart.descendants().toList();
      assertEquals(4, children.size());
      final List<Path> directories = new ArrayList<>();
      nodes().forEach(node -> directories.addAll(folders(node)));
      assertFalse(directories.isEmpty());

      // Ctrl-C goes to the whole process group: to the children too.
      signal("INT", "-" + quickstart.pid());
      assertEquals(INTERRUPTED, exitCode(quickstart), this::errors);
      for (final ProcessHandle child : children) {
        awaitEnd(child.pid());
      }
      for (final Path directory : directories) {
        assertFalse(Files.exists(directory), directory + " is left");
      }
      try (Stream<Path> files = Files.list(folder.resolve("tmp"))) {
        assertEquals(List.of(), files.filter(file -> !isOfTheJvm(file)).toList());
      }
    } finally {
      quickstart.descendants().forEach(ProcessHandle::destroyForcibly);
      quickstart.destroyForcibly();
    }
  }

  /** The command in a process and group of its own, with a folder of its own for what it writes. */
  private Process start(final String... arguments) throws IOException {
    final String root = System.getProperty("kvasir.root", "");
    final List<String> command = new ArrayList<>();
    if (Files.isExecutable(Path.of("/usr/bin/setsid"))) {
      // A build in the background ignores SIGINT, and so would its children.
      command.addAll(List.of("env", "--default-signal=INT", "/usr/bin/setsid"));
    }
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("@" + Path.of(root, "jvm.options"));
    command.add("-Djava.io.tmpdir=" + Files.createDirectories(folder.resolve("tmp")));
    command.addAll(List.of("-Xmx512m", "-Dkvasir.home=" + root, "-cp"));
    command.addAll(List.of(System.getProperty("java.class.path"), Kvasir.class.getName()));
    command.addAll(List.of(arguments));
    final ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(folder.resolve("stderr").toFile());
    builder.environment().put("XDG_STATE_HOME", folder.resolve("state").toString());
    return builder.start();
  }

  private String errors() {
    try {
      return Files.readString(folder.resolve("stderr"));
    } catch (final IOException e) {
      return e.toString();
    }
  }

  private JsonNode status() throws Exception {
    final String before = errors();
    final long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(EXIT_SECONDS_MAX);
    while (true) {
      final Process process = start("status", "--json");
      final JsonNode status;
      try (BufferedReader out = process.inputReader()) {
        status = MAPPER.readTree(out);
      }
      if (exitCode(process) == 0 && status.path("problems").isEmpty()) {
        Files.writeString(folder.resolve("stderr"), before);
        return status;
      }
      // It gives a node two seconds, which on a busy machine may be too few.
      assertTrue(System.nanoTime() - deadlineNs < 0, this::errors);
    }
  }

  /** The nodes whose run directories lie in this test's folder for temporary files. */
  private List<NodeInfo> nodes() throws IOException {
    final List<NodeInfo> nodes = new ArrayList<>();
    try (Stream<Path> files = Files.walk(folder.resolve("tmp"), 3)) {
      for (final Path run :
          files.filter(f -> Files.exists(f.resolve(NodeInfo.FILE_NAME))).toList()) {
        nodes.add(NodeInfo.read(run));
      }
    }
    return nodes;
  }

  private static List<Path> folders(final NodeInfo node) {
    return List.of(Path.of(node.runDir()).getParent(), Path.of(node.slabDir()).getParent());
  }

  /** The JVM's own file for tools like jps. */
  private static boolean isOfTheJvm(final Path file) {
    return file.getFileName().toString().startsWith("hsperfdata_");
  }

  private void awaitSaid(final Process process, final String words) throws InterruptedException {
    while (!errors().contains(words)) {
      assertTrue(process.isAlive(), this::errors);
      Thread.sleep(20);
    }
  }

  private static int exitCode(final Process process) throws InterruptedException {
    assertTrue(process.waitFor(4 * EXIT_SECONDS_MAX, TimeUnit.SECONDS), "the command does not end");
    return process.exitValue();
  }

  private static void awaitEnd(final long pid) {
    ProcessHandle.of(pid)
        .ifPresent(
            process -> process.onExit().orTimeout(EXIT_SECONDS_MAX, TimeUnit.SECONDS).join());
  }

  private static void signal(final String name, final String target) throws Exception {
    assertEquals(0, new ProcessBuilder("kill", "-" + name, "--", target).start().waitFor());
  }

  private static void delete(final Path directory) throws IOException {
    if (Files.exists(directory)) {
      try (Stream<Path> files = Files.walk(directory)) {
        for (final Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
          Files.delete(file);
        }
      }
    }
  }
}
