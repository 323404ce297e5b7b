package io.kvasir.node.local;

import java.io.IOException;

/** Sends signals to node processes. */
final class Signals {
  private Signals() {}

  /** Stops a process until {@link #resume}. */
  static void stop(final long pid) throws IOException, InterruptedException {
    send("STOP", pid);
  }

  static void resume(final long pid) throws IOException, InterruptedException {
    send("CONT", pid);
  }

  private static void send(final String name, final long pid)
      throws IOException, InterruptedException {
    final int exitCode =
        new ProcessBuilder("kill", "-" + name, Long.toString(pid)).start().waitFor();
    if (exitCode != 0) {
      throw new IOException("kill -" + name + " " + pid + " gave " + exitCode);
    }
  }
}
