package io.kvasir.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A program that runs to its end within a limit. It ends, and with it what it has started, when its
 * time is over and when this JVM ends, so also after Ctrl-C.
 *
 * @param status the exit status
 * @param output what the program wrote to standard output, unless that was redirected
 */
record ChildProcess(int status, String output) {
  /** How long a program that is asked to end may take to clear up. */
  private static final Duration CLEARING_LIMIT = Duration.ofSeconds(60);

  /**
   * Runs a program.
   *
   * @throws IOException if it cannot be started, or has not ended within the limit
   */
  static ChildProcess run(ProcessBuilder builder, Duration limit)
      throws IOException, InterruptedException {
    Beginning beginning = new Beginning();
    Thread hook = Thread.ofPlatform().unstarted(beginning::undo);
    // Before the program begins: a signal in between would leave it behind.
    Runtime.getRuntime().addShutdownHook(hook);
    try {
      Process process = beginning.start(builder);
      CompletableFuture<String> output = new CompletableFuture<>();
      Thread.ofPlatform()
          .daemon()
          .name("kvasir-child-out")
          .start(() -> read(process.getInputStream(), output));
      if (!process.waitFor(limit)) {
        throw new IOException(
            "KVA-0154 a program takes too long - program="
                + builder.command().getFirst()
                + " seconds="
                + limit.toSeconds()
                + "; it was ended, see the lines above");
      }
      return new ChildProcess(process.exitValue(), output.join());
    } finally {
      beginning.undo();
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // The JVM is ending: the hook has run, or does.
      }
    }
  }

  /** The start of a program, or the end of the command, whichever comes first. */
  private static final class Beginning {
    private @Nullable Process process;
    private boolean isUndone;

    synchronized Process start(ProcessBuilder builder) throws IOException {
      if (isUndone) {
        throw new IOException(
            "KVA-0155 not started, the command is ending - program="
                + builder.command().getFirst());
      }
      Process started = builder.start();
      process = started;
      return started;
    }

    void undo() {
      Process started;
      synchronized (this) {
        isUndone = true;
        started = process;
      }
      if (started != null) {
        end(started);
      }
    }
  }

  private static void read(InputStream stream, CompletableFuture<String> output) {
    try (stream) {
      output.complete(new String(stream.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      output.completeExceptionally(new UncheckedIOException(e));
    }
  }

  /** Asks the program to end, lets it clear up, and makes an end of what is left. */
  private static void end(Process process) {
    List<ProcessHandle> family =
        Stream.concat(Stream.of(process.toHandle()), process.descendants()).toList();
    process.destroy();
    try {
      process.waitFor(CLEARING_LIMIT.toSeconds(), TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    family.forEach(ProcessHandle::destroyForcibly);
  }
}
