package io.kvasir.transport;

import io.aeron.driver.MediaDriver;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/** Transports of one test, all in this JVM; closing checks that nothing is left behind. */
final class Peers implements AutoCloseable {
  static final String CLUSTER = "test";
  private final List<Peer> started = new ArrayList<>();
  private final Path directory;

  Peers() {
    try {
      Path memory = Path.of("/dev/shm");
      directory =
          Files.isDirectory(memory)
              ? Files.createTempDirectory(memory, "kvasir-transport-test-")
              : Files.createTempDirectory("kvasir-transport-test-");
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  Path directory() {
    return directory;
  }

  TransportConfig.Builder config(long nodeId) {
    return TransportConfig.builder(nodeId, CLUSTER, directory.resolve("aeron-" + nodeId))
        .termBytes(512 * 1024)
        .windowBytes(256 * 1024)
        // Nobody is silent here, but a busy machine may keep a peer waiting.
        .liveness(Duration.ofMillis(100), Duration.ofSeconds(5), Duration.ofSeconds(20));
  }

  /** For tests of silence: limits as short as the defaults. */
  static TransportConfig.Builder shortSilence(TransportConfig.Builder config) {
    return config.liveness(Duration.ofMillis(100), Duration.ofMillis(700), Duration.ofSeconds(5));
  }

  Peer start(long nodeId) {
    return start(nodeId, b -> b, context -> {});
  }

  Peer start(
      long nodeId,
      UnaryOperator<TransportConfig.Builder> settings,
      Consumer<MediaDriver.Context> driver) {
    TransportConfig config = settings.apply(config(nodeId)).build();
    return start(config, Identity.of(config, new SecureRandom()), driver);
  }

  Peer start(TransportConfig config) {
    return start(config, Identity.of(config, new SecureRandom()), context -> {});
  }

  /** All started so far. */
  List<Peer> all() {
    return List.copyOf(started);
  }

  Peer start(TransportConfig config, Identity identity, Consumer<MediaDriver.Context> driver) {
    TestSource source = new TestSource();
    TestQuestions questions = new TestQuestions();
    Transport transport = Transport.start(config, identity, source, questions, driver);
    questions.connect(transport);
    Peer peer = new Peer(transport, source, questions, config);
    started.add(peer);
    return peer;
  }

  static void await(Supplier<String> what, BooleanSupplier condition) {
    await(what, Duration.ofSeconds(30), condition);
  }

  static void await(Supplier<String> what, Duration limit, BooleanSupplier condition) {
    long untilNs = System.nanoTime() + limit.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - untilNs > 0) {
        throw new AssertionError("waited too long for: " + what.get());
      }
      LockSupport.parkNanos(100_000);
    }
  }

  @Override
  public void close() throws IOException {
    for (Peer peer : started.reversed()) {
      peer.close();
    }
    try (var left = Files.list(directory)) {
      List<Path> files = left.toList();
      if (!files.isEmpty()) {
        throw new AssertionError("left behind: " + files);
      }
    }
    Files.delete(directory);
  }

  /** One node. */
  static final class Peer implements AutoCloseable {
    final Transport transport;
    final TestSource source;
    final TestQuestions questions;
    final TransportConfig config;
    private boolean isClosed;

    private Peer(
        Transport transport, TestSource source, TestQuestions questions, TransportConfig config) {
      this.transport = transport;
      this.source = source;
      this.questions = questions;
      this.config = config;
    }

    String endpoint() {
      return transport.endpoint();
    }

    MemorySegment memory(int lengthBytes) {
      return source.arena.allocate(lengthBytes, 64);
    }

    void awaitNoPins() {
      Peers.await(() -> "pins=" + source.pins.get(), () -> source.pins.get() == 0);
    }

    @Override
    public void close() {
      if (isClosed) {
        return;
      }
      isClosed = true;
      transport.close();
      if (transport.laneThread().isAlive()) {
        throw new AssertionError("lane thread lives");
      }
      awaitNoPins();
      source.close();
    }
  }
}
