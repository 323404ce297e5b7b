package io.kvasir.node;

import io.kvasir.node.config.ConfigException;
import io.kvasir.node.config.NodeConfig;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import org.slf4j.bridge.SLF4JBridgeHandler;

/**
 * Runs one node in the foreground.
 *
 * <p>When it serves, it prints one line {@code READY {json}} ({@link NodeInfo}) to standard output;
 * everything else goes to standard error. It stops on SIGTERM and SIGINT, and with {@code
 * --stop-on-stdin-eof} when whoever started it is gone. Exit codes: 0 stopped, 1 failed, 2 wrong
 * usage or configuration.
 */
public final class NodeMain {
  private static final int EXIT_OK = 0;
  private static final int EXIT_FAILED = 1;
  private static final int EXIT_USAGE = 2;

  /** What the command line asks for. */
  private record Arguments(
      @Nullable Path config, List<String> overrides, boolean stopOnStdinEof, boolean printConfig) {}

  private NodeMain() {}

  /** Runs until the node is stopped, then ends the JVM. */
  public static void main(final String[] args) {
    final int code = run(args, System.out, System.err);
    if (code != EXIT_OK) {
      System.exit(code);
    }
  }

  /**
   * As {@link #main}, without ending the JVM.
   *
   * @return the exit code
   */
  public static int run(final String[] args, final PrintStream out, final PrintStream err) {
    final NodeConfig config;
    final Arguments arguments;
    try {
      arguments = parse(args);
      config = NodeConfig.load(arguments.config(), System.getenv(), arguments.overrides());
    } catch (final IllegalArgumentException | ConfigException e) {
      err.println("kvasir node: " + e.getMessage());
      return EXIT_USAGE;
    }
    if (arguments.printConfig()) {
      out.print(config.toYaml());
      return EXIT_OK;
    }
    SLF4JBridgeHandler.removeHandlersForRootLogger();
    SLF4JBridgeHandler.install();
    return serve(config, arguments.stopOnStdinEof(), out, err);
  }

  private static int serve(
      final NodeConfig config,
      final boolean stopOnStdinEof,
      final PrintStream out,
      final PrintStream err) {
    final CountDownLatch stop = new CountDownLatch(1);
    final CountDownLatch stopped = new CountDownLatch(1);
    // The signal only asks; the hook then keeps the JVM until the node is closed.
    final Thread hook =
        Thread.ofPlatform()
            .name("kvasir-stop")
            .unstarted(
                () -> {
                  stop.countDown();
                  awaitQuietly(stopped);
                });
    Runtime.getRuntime().addShutdownHook(hook);
    if (stopOnStdinEof) {
      Thread.ofPlatform()
          .daemon()
          .name("kvasir-stdin")
          .start(
              () -> {
                drainStdin();
                stop.countDown();
              });
    }
    final AtomicInteger code = new AtomicInteger(EXIT_OK);
    final Consumer<Throwable> onFailure =
        cause -> {
          LoggerFactory.getLogger(NodeMain.class).error("KVA-0116 node failed", cause);
          code.set(EXIT_FAILED);
          stop.countDown();
        };
    try (KvasirNode node = KvasirNode.start(config, onFailure)) {
      out.println("READY " + node.info().toJson());
      out.flush();
      stop.await();
    } catch (final InterruptedException e) {
      Thread.currentThread().interrupt();
      code.set(EXIT_FAILED);
    } catch (final RuntimeException e) {
      err.println("kvasir node: " + (e.getMessage() == null ? e : e.getMessage()));
      LoggerFactory.getLogger(NodeMain.class).debug("node failed", e);
      code.set(EXIT_FAILED);
    } finally {
      stopped.countDown();
    }
    return code.get();
  }

  private static Arguments parse(final String[] args) {
    Path config = null;
    final List<String> overrides = new ArrayList<>();
    boolean stopOnStdinEof = false;
    boolean printConfig = false;
    for (int i = 0; i < args.length; i++) {
      switch (args[i]) {
        case "--config" -> config = Path.of(value(args, ++i));
        case "--set" -> overrides.add(value(args, ++i));
        case "--stop-on-stdin-eof" -> stopOnStdinEof = true;
        case "--print-config" -> printConfig = true;
        default ->
            throw new IllegalArgumentException(
                "KVA-0102 unknown option "
                    + args[i]
                    + "; options are --config FILE, --set KEY=VALUE, --stop-on-stdin-eof,"
                    + " --print-config");
      }
    }
    return new Arguments(config, overrides, stopOnStdinEof, printConfig);
  }

  private static String value(final String[] args, final int index) {
    if (index >= args.length) {
      throw new IllegalArgumentException(
          "KVA-0103 option " + args[index - 1] + " needs a value after it");
    }
    return args[index];
  }

  private static void drainStdin() {
    final byte[] buffer = new byte[256];
    try {
      while (System.in.read(buffer) >= 0) {
        // Only the end matters.
      }
    } catch (final IOException e) {
      // As good as an end.
    }
  }

  private static void awaitQuietly(final CountDownLatch latch) {
    try {
      latch.await();
    } catch (final InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
