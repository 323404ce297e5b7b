package io.kvasir.benchmarks.reference;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The other half of a reference, run in a JVM of its own with the flags of this one. It obeys one
 * line at a time on its standard input and ends when that closes.
 */
final class ReferenceProcess implements AutoCloseable {
  private final Process process;
  private final BufferedReader answers;
  private final BufferedWriter commands;

  ReferenceProcess(Class<?> main, List<String> arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
            .filter(argument -> !argument.startsWith("-Xm") && !argument.startsWith("-agentlib"))
            .toList());
    command.addAll(
        List.of("-Xmx256m", "-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(arguments);
    process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    answers =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    commands =
        new BufferedWriter(
            new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8));
  }

  void send(String line) throws IOException {
    commands.write(line);
    commands.newLine();
    commands.flush();
  }

  /** Sends a line and waits for the answer to it. */
  String ask(String line) throws IOException {
    send(line);
    return answer();
  }

  boolean hasAnswer() throws IOException {
    return answers.ready() || !process.isAlive();
  }

  String answer() throws IOException {
    String line = answers.readLine();
    if (line == null) {
      throw new IOException(
          "KVA-0653 the other process of a reference ended - pid=" + process.pid());
    }
    return line;
  }

  @Override
  public void close() throws IOException {
    commands.close();
    try {
      if (!process.waitFor(5, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
    answers.close();
  }
}
