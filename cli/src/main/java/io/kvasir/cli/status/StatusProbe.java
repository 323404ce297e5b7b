package io.kvasir.cli.status;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.kvasir.node.NodeInfo;
import io.kvasir.node.local.NodeProbe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Finds the nodes of a directory by their {@code node.json} and asks each for its counters. */
public final class StatusProbe {
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(2);

  /** Process start times are derived from the wall clock, which time daemons may correct. */
  private static final Duration START_TOLERANCE = Duration.ofSeconds(2);

  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  private StatusProbe() {}

  /**
   * Asks every node of {@code directory}.
   *
   * @param directory a node's run directory, or a directory of run directories
   * @throws IOException for people, if there is no node or none answers
   */
  public static StatusReport ask(Path directory) throws IOException {
    List<NodeStatus> nodes = new ArrayList<>();
    List<String> problems = new ArrayList<>();
    for (Path runDirectory : runDirectories(directory)) {
      try {
        nodes.add(askNode(runDirectory));
      } catch (IOException e) {
        problems.add(String.valueOf(e.getMessage()));
      }
    }
    if (nodes.isEmpty()) {
      throw new IOException(String.join(System.lineSeparator(), problems));
    }
    return new StatusReport(
        directory.toString(), nodes, nodes.getFirst().memberList(), List.copyOf(problems));
  }

  private static List<Path> runDirectories(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      throw new IOException(
          "KVA-0131 no such directory - runDir="
              + directory
              + "; name the node.run-dir of a running node with --run-dir");
    }
    if (Files.exists(directory.resolve(NodeInfo.FILE_NAME))) {
      return List.of(directory);
    }
    try (Stream<Path> children = Files.list(directory)) {
      List<Path> found =
          children
              .filter(child -> Files.exists(child.resolve(NodeInfo.FILE_NAME)))
              .sorted()
              .toList();
      if (found.isEmpty()) {
        throw new IOException(
            "KVA-0132 no node runs here - runDir="
                + directory
                + " missing="
                + NodeInfo.FILE_NAME
                + "; start one with kvasir node, or name another directory with --run-dir");
      }
      return found;
    }
  }

  private static NodeStatus askNode(Path runDirectory) throws IOException {
    NodeInfo info = info(runDirectory);
    try {
      JsonNode stats =
          MAPPER.readTree(NodeProbe.stats(Path.of(info.engineSocket()), ANSWER_TIMEOUT));
      return NodeStatus.of(info, stats);
    } catch (JsonProcessingException | IllegalArgumentException e) {
      throw noAnswer(info, runDirectory, e);
    } catch (IOException e) {
      // The socket is asked first: the pid of a node in another container means nothing here.
      throw isAlive(info) ? noAnswer(info, runDirectory, e) : notRunning(info, runDirectory, e);
    }
  }

  private static NodeInfo info(Path runDirectory) throws IOException {
    try {
      NodeInfo info = NodeInfo.read(runDirectory);
      Instant.parse(info.startedAt());
      return info;
    } catch (IOException | DateTimeException e) {
      throw new IOException(
          "KVA-0133 the node's description cannot be read - file="
              + runDirectory.resolve(NodeInfo.FILE_NAME)
              + " cause="
              + firstLine(e)
              + "; delete the file if no node runs there",
          e);
    }
  }

  /**
   * Whether the process that wrote the description still runs, and its pid is not another's now.
   */
  private static boolean isAlive(NodeInfo info) {
    Optional<ProcessHandle> process = ProcessHandle.of(info.pid()).filter(ProcessHandle::isAlive);
    Instant latestStart = Instant.parse(info.startedAt()).plus(START_TOLERANCE);
    return process.isPresent()
        && process.get().info().startInstant().map(latestStart::isAfter).orElse(true);
  }

  private static IOException notRunning(NodeInfo info, Path runDirectory, Exception cause) {
    return new IOException(
        "KVA-0134 the node does not run any more - name="
            + info.name()
            + " pid="
            + info.pid()
            + " runDir="
            + runDirectory
            + "; start it again on the same run directory: its chunks are still there",
        cause);
  }

  private static IOException noAnswer(NodeInfo info, Path runDirectory, Exception cause) {
    return new IOException(
        "KVA-0135 the node does not answer - name="
            + info.name()
            + " pid="
            + info.pid()
            + " runDir="
            + runDirectory
            + " cause="
            + firstLine(cause)
            + " (limit="
            + ANSWER_TIMEOUT.toSeconds()
            + " s); look at its log, or with jstack at what it does",
        cause);
  }

  private static String firstLine(Exception e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
  }
}
