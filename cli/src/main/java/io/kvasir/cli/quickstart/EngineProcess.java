package io.kvasir.cli.quickstart;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kvasir.connectors.reference.ReferenceEngineMain;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A reference engine as a child process, spoken to in lines of JSON. It has this JVM's class path
 * and flags, and ends when this JVM does, because its standard input ends then. One caller at a
 * time.
 */
final class EngineProcess implements AutoCloseable {
  private static final Duration EXIT_LIMIT = Duration.ofSeconds(5);
  private static final String READY = "READY ";
  private static final int LOG_TAIL_LINES = 15;

  private final ObjectMapper json = new ObjectMapper();
  private final String name;
  private final Process process;
  private final Path log;
  private final Writer requests;

  /** Lines the child wrote; an empty one at the end of its output. */
  private final BlockingQueue<String> answers = new LinkedBlockingQueue<>();

  private EngineProcess(String name, Process process, Path log) {
    this.name = name;
    this.process = process;
    this.log = log;
    requests =
        new BufferedWriter(
            new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8), 1 << 16);
    Thread.ofPlatform().daemon().name("kvasir-" + name + "-answers").start(this::readAnswers);
  }

  /**
   * Starts an engine beside the node that listens on {@code socket}, without a cache if that is
   * null; does not wait for it.
   */
  static EngineProcess start(String name, @Nullable Path socket, Path log) throws IOException {
    final List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    for (final String flag : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (!flag.startsWith("-Xm") && !flag.startsWith("-agentlib")) {
        command.add(flag);
      }
    }
    // Weights and KV take about 40 MB; one collector thread leaves the cores to the computation.
    command.addAll(List.of("-Xmx384m", "-XX:+UseSerialGC"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(ReferenceEngineMain.class.getName());
    if (socket != null) {
      command.add(socket.toString());
    }
    final Process process =
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .start();
    return new EngineProcess(name, process, log);
  }

  /** Waits until the engine is ready and returns what it says about itself. */
  JsonNode awaitReady(Duration limit) throws IOException {
    final String line = nextAnswer(limit);
    if (!line.startsWith(READY)) {
      throw failed("unexpected first line " + line);
    }
    return json.readTree(line.substring(READY.length()));
  }

  /** Sends a request without waiting for the answer. */
  void send(ObjectNode request) throws IOException {
    try {
      requests.write(request.toString());
      requests.write('\n');
      requests.flush();
    } catch (IOException e) {
      throw failed("is gone (" + e.getMessage() + ")");
    }
  }

  /** The answer to the oldest request that has none yet. */
  JsonNode receive(Duration limit) throws IOException {
    final JsonNode answer = json.readTree(nextAnswer(limit));
    if (answer.has("error")) {
      throw failed(answer.path("error").asText());
    }
    return answer;
  }

  JsonNode call(ObjectNode request, Duration limit) throws IOException {
    send(request);
    return receive(limit);
  }

  @Override
  public void close() {
    try {
      requests.close(); // the engine ends with its input
    } catch (IOException e) {
      process.destroy();
    }
    try {
      if (!process.waitFor(EXIT_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  void kill() {
    process.destroyForcibly();
  }

  private void readAnswers() {
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        answers.add(line);
      }
    } catch (IOException e) {
      // The stream is closed under us when the process is destroyed: the end of its output.
    } finally {
      answers.add("");
    }
  }

  private String nextAnswer(Duration limit) throws IOException {
    try {
      final String line = answers.poll(limit.toMillis(), TimeUnit.MILLISECONDS);
      if (line == null) {
        throw failed("gave no answer within " + limit.toSeconds() + " s");
      }
      if (line.isEmpty()) {
        throw failed("ended early");
      }
      return line;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw failed("was interrupted");
    }
  }

  private IOException failed(String what) {
    return new IOException("KVA-0602 engine failed - engine=" + name + " " + what + logTail());
  }

  private String logTail() {
    try {
      final List<String> lines = Files.readAllLines(log);
      final List<String> tail =
          lines.subList(Math.max(0, lines.size() - LOG_TAIL_LINES), lines.size());
      return tail.isEmpty() ? "" : "; its last words:\n  " + String.join("\n  ", tail);
    } catch (IOException e) {
      return "";
    }
  }
}
