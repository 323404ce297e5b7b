package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.aeron.protocol.DataHeaderFlyweight;
import io.aeron.protocol.SetupFlyweight;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Settings, endpoints, directories and set-up frames: what comes from outside is checked. */
final class SettingsTest {
  @TempDir private Path directory;

  @Test
  void shouldHaveTheDocumentedDefaults() {
    TransportConfig config = TransportConfig.builder(1, "c", directory).build();
    assertEquals("127.0.0.1", config.bindAddress());
    assertEquals(0, config.port());
    assertEquals(2 << 20, config.termBytes());
    assertEquals(1 << 20, config.windowBytes());
    assertEquals(8 << 20, config.creditBytes());
    assertEquals(Duration.ofMillis(100), config.heartbeat());
    assertEquals(Duration.ofMillis(700), config.silence());
    assertEquals(Duration.ofSeconds(5), config.sessionTimeout());
    assertEquals(65_504, Streams.mtuBytes(config, "127.0.0.1"));
    assertEquals(65_504, Streams.mtuBytes(config, "[0:0:0:0:0:0:0:1]"));
    assertEquals(1_408, Streams.mtuBytes(config, "10.0.0.1"));
  }

  @Test
  void shouldReportEveryProblemAtOnce() {
    IllegalArgumentException problem =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                TransportConfig.builder(0, "c", directory)
                    .bind("127.0.0.1", 70_000)
                    .mtuBytes(1_409)
                    .termBytes(3 << 20)
                    .windowBytes(5)
                    .creditBytes(1)
                    .caps(-1, 1)
                    .limits(0, 0, 0)
                    .liveness(Duration.ZERO, Duration.ZERO, Duration.ofSeconds(-1))
                    .idleClose(Duration.ZERO)
                    .build());
    String text = String.valueOf(problem.getMessage());
    for (String name :
        new String[] {
          "KVA-0401",
          "node-id",
          "port",
          "mtu",
          "term-bytes",
          "window-bytes",
          "credit",
          "demand-bytes-per-second",
          "handoff-bytes-per-second",
          "max-pulls",
          "max-serves",
          "max-sessions",
          "heartbeat",
          "session-timeout",
          "idle-close"
        }) {
      assertTrue(text.contains(name), name + " in " + text);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ":",
        "1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:0",
        "1.2.3.4:65536",
        "1.2.3.4:-1",
        "1.2.3:5",
        "1.2.3.256:5",
        "localhost:5",
        "::1:5",
        "[::1:5",
        "[1.2.3.4]:5",
        "[::g]:5",
        "1.2.3.4:5x",
        "1.2.3.4:99999999999",
        "1.2.3.4|mtu=8:5"
      })
  void shouldNotTakeForAnEndpoint(String text) {
    assertNull(Endpoint.parse(text));
  }

  @ParameterizedTest
  @ValueSource(strings = {"1.2.3.4:5", "127.0.0.1:65535", "[::1]:77", "[0:0:0:0:0:0:0:1]:1"})
  void shouldTakeForAnEndpoint(String text) {
    Endpoint endpoint = Endpoint.parse(text);
    assertEquals(text, String.valueOf(endpoint));
  }

  @Test
  void shouldRefuseToBindToEveryAddress() {
    TransportConfig config =
        TransportConfig.builder(1, "c", directory.resolve("a")).bind("0.0.0.0", 0).build();
    try (TestSource source = new TestSource()) {
      IllegalArgumentException problem =
          assertThrows(
              IllegalArgumentException.class,
              () -> Transport.start(config, source, new TestQuestions()).close());
      assertTrue(String.valueOf(problem.getMessage()).startsWith("KVA-0414"));
    }
  }

  @Test
  void shouldNotDeleteADirectoryThatIsNotAerons() throws IOException {
    Files.writeString(directory.resolve("precious"), "data");
    IllegalStateException problem =
        assertThrows(IllegalStateException.class, () -> AeronDirectory.clear(directory));
    assertTrue(String.valueOf(problem.getMessage()).startsWith("KVA-0407"));
    assertTrue(Files.exists(directory.resolve("precious")));
  }

  @Test
  void shouldTakeOnlySetUpFramesThatFit() {
    assertTrue(GuardedReceiveEndpoint.isAcceptable(setup(1, 1 << 20, 1_408, 0), 40));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(setup(1, 1 << 20, 1_408, 0), 39));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(setup(3, 1 << 20, 1_408, 0), 40));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(setup(1, 1 << 30, 1_408, 0), 40));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(setup(1, 1_000_000, 1_408, 0), 40));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(setup(1, 0, 1_408, 0), 40));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(setup(1, 1 << 20, 1_409, 0), 40));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(setup(1, 1 << 20, 0, 0), 40));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(setup(1, 1 << 20, 70_000, 0), 40));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(setup(1, 1 << 20, 1_408, -32), 40));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(setup(1, 1 << 20, 1_408, 5), 40));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(setup(1, 1 << 20, 1_408, 1 << 21), 40));
  }

  @Test
  void shouldTakeOnlyDataFramesThatFit() {
    assertTrue(GuardedReceiveEndpoint.isAcceptable(data(32 + 8, 64), 32 + 8));
    assertTrue(GuardedReceiveEndpoint.isAcceptable(data(0, 0), 32), "a heartbeat");
    assertFalse(GuardedReceiveEndpoint.isAcceptable(data(0, 0), 64));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(data(22, 0), 22));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(data(31, 0), 64));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(data(-1, 0), 64));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(data(64, 33), 64));
    assertFalse(GuardedReceiveEndpoint.isAcceptable(data(64, -32), 64));
  }

  private static DataHeaderFlyweight data(int frame, int offset) {
    DataHeaderFlyweight data = new DataHeaderFlyweight();
    data.wrap(new byte[DataHeaderFlyweight.HEADER_LENGTH]);
    data.termOffset(offset).frameLength(frame);
    return data;
  }

  private static SetupFlyweight setup(int stream, int term, int mtu, int offset) {
    SetupFlyweight setup = new SetupFlyweight();
    setup.wrap(new byte[SetupFlyweight.HEADER_LENGTH]);
    setup
        .streamId(stream)
        .initialTermId(1)
        .activeTermId(1)
        .termLength(term)
        .mtuLength(mtu)
        .termOffset(offset);
    return setup;
  }
}
