package io.kvasir.transport;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * A holder in a process of its own, for tests that kill or stop it. Ends with its standard input.
 */
final class PeerMain {
  private PeerMain() {}

  /** Arguments: node id, Aeron directory, port, number of chunks, their length, their version. */
  public static void main(String[] args) throws IOException {
    TransportConfig config =
        TransportConfig.builder(Long.parseLong(args[0]), Peers.CLUSTER, Path.of(args[1]))
            .bind("127.0.0.1", Integer.parseInt(args[2]))
            .termBytes(512 * 1024)
            .windowBytes(256 * 1024)
            .build();
    try (TestSource source = new TestSource()) {
      for (int i = 0; i < Integer.parseInt(args[3]); i++) {
        source.add(Payload.key(i), Long.parseLong(args[5]), Integer.parseInt(args[4]));
      }
      try (Transport transport = Transport.start(config, source, new TestQuestions())) {
        System.out.println("ENDPOINT " + transport.endpoint());
        while (System.in.read() >= 0) {}
      }
    }
  }

  /** The child process of a test. */
  static final class Child implements AutoCloseable {
    final Process process;
    final String endpoint;

    private Child(Process process, String endpoint) {
      this.process = process;
      this.endpoint = endpoint;
    }

    static Child start(long node, Path aeronDirectory, int port, int chunks, int lengthBytes)
        throws IOException {
      ProcessBuilder builder =
          new ProcessBuilder(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "@" + Path.of(System.getProperty("kvasir.root", "."), "jvm.options"),
              "-Xmx256m",
              "-cp",
              System.getProperty("java.class.path"),
              PeerMain.class.getName(),
              Long.toString(node),
              aeronDirectory.toString(),
              Integer.toString(port),
              Integer.toString(chunks),
              Integer.toString(lengthBytes),
              "7");
      Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
      String line = "";
      var out = process.inputReader();
      while (line != null && !line.startsWith("ENDPOINT ")) {
        line = out.readLine();
      }
      if (line == null) {
        process.destroyForcibly();
        throw new IOException("child ended early");
      }
      return new Child(process, line.substring("ENDPOINT ".length()));
    }

    int port() {
      return Integer.parseInt(endpoint.substring(endpoint.lastIndexOf(':') + 1));
    }

    void signal(String name) throws IOException, InterruptedException {
      int code =
          new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
      if (code != 0) {
        throw new IOException("kill -" + name + " failed: " + code);
      }
    }

    @Override
    public void close() throws IOException {
      process.getOutputStream().close();
      if (!process.onExit().completeOnTimeout(process, 15, TimeUnit.SECONDS).join().isAlive()) {
        return;
      }
      process.destroyForcibly().onExit().join();
      throw new IOException("child does not end");
    }
  }
}
