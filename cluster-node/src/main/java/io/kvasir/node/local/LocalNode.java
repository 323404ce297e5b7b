package io.kvasir.node.local;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.kvasir.node.NodeInfo;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** One node process of a {@link LocalCluster}. Thread-safe. */
public final class LocalNode {
  private static final String READY = "READY ";
  private static final int LOG_LINES = 5;
  private static final Duration STATS_TIMEOUT = Duration.ofSeconds(20);
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  private final Process process;
  private final Path log;
  private final CompletableFuture<NodeInfo> ready = new CompletableFuture<>();

  private LocalNode(final Process process, final Path log) {
    this.process = process;
    this.log = log;
  }

  static LocalNode start(final List<String> command, final Path log) throws IOException {
    final ProcessBuilder builder = new ProcessBuilder(command);
    // The parent's environment may configure another node.
    builder.environment().keySet().removeIf(LocalNode::isConfiguration);
    builder.redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()));
    final LocalNode node = new LocalNode(builder.start(), log);
    // A platform thread: a read of a pipe holds the carrier of a virtual one.
    Thread.ofPlatform().daemon().name("kvasir-local-out").start(node::readOutput);
    return node;
  }

  private static boolean isConfiguration(final String variable) {
    return variable.startsWith("KVASIR_") && !variable.equals("KVASIR_LOG_LEVEL");
  }

  /** What the node said when it was ready. */
  public NodeInfo info() {
    return ready.resultNow();
  }

  /** Where engines connect. */
  public Path engineSocket() {
    return Path.of(info().engineSocket());
  }

  public long pid() {
    return process.pid();
  }

  public boolean isAlive() {
    return process.isAlive();
  }

  /** What the node logs and complains about. */
  public Path log() {
    return log;
  }

  /**
   * The node's counters ({@code docs/reference/stats.md}).
   *
   * @throws IOException if it does not answer in time
   */
  public JsonNode stats() throws IOException {
    return MAPPER.readTree(NodeProbe.stats(engineSocket(), STATS_TIMEOUT));
  }

  /** Kills the process at once, as {@code kill -9} does. */
  public void kill() {
    process.destroyForcibly();
    awaitExit(Duration.ofSeconds(10));
  }

  /** Asks the process to stop in order: SIGTERM. */
  void askToStop() {
    process.destroy();
  }

  /** Waits for the process to end; false if it does not. */
  boolean awaitExit(final Duration timeout) {
    try {
      return process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (final InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  void awaitReady(final Duration timeout) throws IOException {
    try {
      ready.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (final ExecutionException e) {
      throw new IOException("KVA-0120 node did not start - log=" + log + " " + logTail(), e);
    } catch (final TimeoutException e) {
      throw new IOException(
          "KVA-0121 node is not ready in time - waitedMs="
              + timeout.toMillis()
              + " log="
              + log
              + " "
              + logTail(),
          e);
    } catch (final InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private void readOutput() {
    try (BufferedReader out =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = out.readLine(); line != null; line = out.readLine()) {
        if (line.startsWith(READY)) {
          ready.complete(NodeInfo.fromJson(line.substring(READY.length())));
        }
      }
      ready.completeExceptionally(new IOException("the process ended - pid=" + process.pid()));
    } catch (final IOException e) {
      ready.completeExceptionally(e);
    }
  }

  private String logTail() throws IOException {
    final List<String> lines = Files.readAllLines(log);
    return String.join(" | ", lines.subList(Math.max(0, lines.size() - LOG_LINES), lines.size()));
  }
}
