package io.kvasir.node;

import io.kvasir.node.config.NodeConfig;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Two nodes, the first in a small file system that fills up while it runs. Arguments: that file
 * system, a folder elsewhere. A process, because the file system is mounted for it alone.
 */
final class FullMemoryMain {
  private static final int CHUNK_BYTES = 256 << 10;
  private static final int CHUNKS = 4;

  /** Several times what the slab holds. */
  private static final int PROMPTS = 64;

  private static final long PATIENCE_NS = TimeUnit.SECONDS.toNanos(60);

  private FullMemoryMain() {}

  public static void main(final String[] arguments) throws Exception {
    final Path small = Path.of(arguments[0]);
    final Path elsewhere = Path.of(arguments[1]);
    try (KvasirNode first = start("first", small, elsewhere, "");
        KvasirNode second =
            start("second", elsewhere, elsewhere, "127.0.0.1:" + first.info().discoveryPort());
        TestEngine engine = engine(first);
        TestEngine other = engine(second)) {
      engine.store(0, CHUNKS, true);
      fill(small.resolve("filler"));
      for (int prompt = 1; prompt <= PROMPTS; prompt++) {
        require(engine.store(prompt, CHUNKS, false) == CHUNKS, "stored");
        require(engine.load(prompt, CHUNKS).local() == CHUNKS, "loaded");
      }
      System.out.println("LOCAL " + PROMPTS);

      other.store(1_000, CHUNKS, true);
      awaitFound(engine, 1_000);
      final long startNs = System.nanoTime();
      final TestEngine.Load whileFull = engine.load(1_000, CHUNKS);
      System.out.printf(
          "PEER %s after %d ms%n",
          whileFull, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs));

      Files.delete(small.resolve("filler"));
      TestEngine.Load load = engine.load(1_000, CHUNKS);
      while (load.chunks() < CHUNKS) {
        require(System.nanoTime() - startNs < PATIENCE_NS, "pulls again " + load);
        load = engine.load(1_000, CHUNKS);
      }
      require(engine.store(2_000, CHUNKS, true) == CHUNKS, "stores again");
      System.out.println("AGAIN " + load.chunks());
      first.assertValid();
    }
    System.out.println("CLOSED");
  }

  private static void fill(final Path filler) throws IOException {
    final ByteBuffer page = ByteBuffer.allocate(4096);
    try (FileChannel channel =
        FileChannel.open(filler, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      while (true) {
        channel.write(page.clear());
      }
    } catch (final IOException e) {
      System.out.println("FULL " + Files.size(filler) + " " + e.getMessage());
    }
  }

  private static void awaitFound(final TestEngine engine, final long prompt) {
    final long startNs = System.nanoTime();
    while (engine.lookup(prompt, CHUNKS).found() < CHUNKS) {
      require(System.nanoTime() - startNs < PATIENCE_NS, "found");
    }
  }

  private static void require(final boolean condition, final String what) {
    if (!condition) {
      throw new AssertionError("not " + what);
    }
  }

  private static TestEngine engine(final KvasirNode node) {
    return TestEngine.connect(Path.of(node.info().engineSocket()), "full", CHUNK_BYTES);
  }

  private static KvasirNode start(
      final String name, final Path slabs, final Path runs, final String seeds) {
    return KvasirNode.start(
        NodeConfig.load(
            null,
            Map.of(),
            List.of(
                "node.name=" + name,
                "node.run-dir=" + runs.resolve(name),
                "cluster.name=full-memory-test",
                "cluster.discovery-port=0",
                "cluster.communication-port=0",
                "cluster.seeds=" + seeds,
                "transport.port=0",
                "store.slab-dir=" + slabs.resolve("slab-" + name),
                "store.slab-bytes=16MiB",
                "index.memory-bytes=64MiB")),
        cause -> {
          cause.printStackTrace();
          Runtime.getRuntime().halt(3);
        });
  }
}
