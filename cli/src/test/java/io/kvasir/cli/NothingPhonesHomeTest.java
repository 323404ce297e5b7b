package io.kvasir.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.node.KvasirNode;
import io.kvasir.node.config.NodeConfig;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Chronicle's analytics and Ignite's update notifier are on by default; {@code jvm.options} turns
 * them off, and here a node runs with those flags.
 */
class NothingPhonesHomeTest {
  /** Reserved by RFC 6761: no resolver ever answers it. */
  private static final String UNKNOWN = "kvasir.invalid";

  /** Both libraries report from threads of their own, soon after start. */
  private static final Duration WATCHED = Duration.ofSeconds(3);

  @Test
  void shouldRecordNamesThatAnyoneResolves() {
    assertThrows(UnknownHostException.class, () -> InetAddress.getAllByName(UNKNOWN));
    assertTrue(RecordedLookups.names().contains(UNKNOWN), "recorder is not the JVM's resolver");
  }

  @Test
  void shouldResolveNoForeignNameWhenANodeRuns(@TempDir Path folder) throws Exception {
    NodeConfig config =
        NodeConfig.load(
            null,
            Map.of(),
            List.of(
                "node.run-dir=" + folder.resolve("run"),
                "store.slab-dir=" + folder.resolve("slab"),
                "store.slab-bytes=16MiB",
                "cluster.discovery-port=0",
                "cluster.communication-port=0",
                "cluster.seeds=",
                "transport.port=0",
                "transport.aeron-dir=" + folder.resolve("aeron")));
    List<Throwable> failures = new CopyOnWriteArrayList<>();
    try (KvasirNode node = KvasirNode.start(config, failures::add)) {
      assertTrue(Files.exists(Path.of(node.info().engineSocket())));
      assertNoForeignLookupFor(WATCHED);
    }
    assertEquals(List.of(), failures);
  }

  private static void assertNoForeignLookupFor(Duration time) throws UnknownHostException {
    long startNs = System.nanoTime();
    while (System.nanoTime() - startNs < time.toNanos()) {
      Set<String> foreign = RecordedLookups.foreignNames();
      foreign.remove(UNKNOWN);
      assertEquals(Set.of(), foreign, "names of other machines were looked up");
      LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
    }
  }
}
