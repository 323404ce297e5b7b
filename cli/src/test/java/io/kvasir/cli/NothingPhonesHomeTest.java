package io.kvasir.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import net.openhft.chronicle.map.ChronicleMap;
import org.apache.ignite.Ignite;
import org.apache.ignite.Ignition;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Chronicle's analytics and Ignite's update notifier are on by default; {@code jvm.options} turns
 * them off, and here both libraries start with those flags.
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
  void shouldResolveNoForeignNameWhenTheLibrariesStart(@TempDir Path folder) throws Exception {
    IgniteConfiguration configuration = new IgniteConfiguration();
    configuration.setWorkDirectory(folder.resolve("ignite").toString());
    configuration.setLocalHost("127.0.0.1");
    try (Ignite ignite = Ignition.start(configuration);
        ChronicleMap<byte[], byte[]> map =
            ChronicleMap.of(byte[].class, byte[].class)
                .entries(100)
                .averageKeySize(32)
                .averageValueSize(64)
                .createPersistedTo(folder.resolve("map").toFile())) {
      map.put(new byte[32], new byte[64]);
      assertTrue(ignite.cluster().state().active());
      assertNoForeignLookupFor(WATCHED);
    }
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
