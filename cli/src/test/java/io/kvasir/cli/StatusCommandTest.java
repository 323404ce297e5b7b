package io.kvasir.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kvasir.node.NodeInfo;
import io.kvasir.node.local.LocalCluster;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StatusCommandTest {
  private static final long SLAB_BYTES = 16L << 20;
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  @TempDir private Path folder;

  @Test
  void shouldShowARunningNodeAndSayWhenItIsDead() throws IOException {
    try (LocalCluster cluster =
        LocalCluster.builder().nodes(1).slabBytes(SLAB_BYTES).directory(folder).start()) {
      NodeInfo info = cluster.node(0).info();

      Output table = answered("status", "--run-dir", info.runDir());
      assertTrue(table.out().contains(info.nodeId()), table.out());
      assertTrue(table.out().contains("16.0 MiB"), table.out());

      Path file = folder.resolve("status.json");
      Output both =
          answered(
              "status", "--run-dir", cluster.directory().toString(), "--json", file.toString());
      assertEquals("", both.err());
      assertDescribes(info, MAPPER.readTree(Files.readString(file)));

      cluster.node(0).kill();
      assertRefused("KVA-0134", "pid=" + info.pid(), Path.of(info.runDir()));
      assertRefused("KVA-0134", "pid=" + info.pid(), cluster.directory());
    }
  }

  /** It gives a node two seconds, which on a busy machine may be too few: asks again. */
  private static Output answered(String... arguments) {
    long deadlineNs = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    Output output = Output.of(arguments);
    while (output.exitCode() != 0) {
      assertTrue(System.nanoTime() - deadlineNs < 0, output.err());
      output = Output.of(arguments);
    }
    return output;
  }

  private static void assertDescribes(NodeInfo info, JsonNode status) {
    assertEquals(List.of(), MAPPER.convertValue(status.path("problems"), List.class));
    JsonNode node = status.path("nodes").path(0);
    assertEquals(1, status.path("nodes").size());
    assertEquals(info.pid(), node.path("pid").asLong());
    assertEquals(info.nodeId(), node.path("nodeId").asText());
    assertEquals(SLAB_BYTES, node.path("slabBytes").asLong());
    assertEquals(0, node.path("chunks").asLong(-1));
    assertTrue(node.path("chunksMax").asLong() > 0);
    assertEquals(0, node.path("usedBytes").asLong(-1));
    assertEquals(0, node.path("hits").path("local").asLong(-1));
    assertEquals(0, node.path("hits").path("peer").asLong(-1));
    assertEquals(1, node.path("members").asInt());
    JsonNode member = status.path("members").path(0);
    assertEquals(1, status.path("members").size());
    assertEquals(info.transportEndpoint(), member.path("endpoint").asText());
    assertEquals(SLAB_BYTES, member.path("capacityBytes").asLong());
    assertTrue(member.path("local").asBoolean());
  }

  @Test
  void shouldSayThatANodeDoesNotAnswerInTime() throws IOException {
    Path socket = folder.resolve("engine.sock");
    try (ServerSocketChannel silent = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      silent.bind(UnixDomainSocketAddress.of(socket));
      write(description(ProcessHandle.current().pid(), Instant.now(), socket));
      assertRefused("KVA-0135", "pid=" + ProcessHandle.current().pid(), folder);
    }
  }

  @Test
  void shouldNotTakeAnotherProcessWithTheSamePidForTheNode() throws IOException {
    Instant longAgo = Instant.parse("2001-01-01T00:00:00Z");
    write(description(ProcessHandle.current().pid(), longAgo, folder.resolve("engine.sock")));
    assertRefused("KVA-0134", "pid=" + ProcessHandle.current().pid(), folder);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "null",
        "[]",
        "{}",
        "{\"pid\":1}",
        "\u0000\u0001\uFFFF",
        "{\"pid\":\"one\",\"name\":{}}",
        "{\"pid\":1,\"name\":\"a\",\"nodeId\":\"0\",\"incarnation\":\"0\",\"runDir\":\"/\","
            + "\"engineSocket\":\"/s\",\"discoveryPort\":1,\"communicationPort\":1,"
            + "\"transportEndpoint\":\"e\",\"slabDir\":\"/\",\"startedAt\":\"yesterday\"}"
      })
  void shouldSayThatADescriptionIsGarbage(String garbage) throws IOException {
    write(garbage);
    assertRefused("KVA-0133", "file=" + folder.resolve(NodeInfo.FILE_NAME), folder);
  }

  @Test
  void shouldSayThatASocketPathIsGarbage() throws IOException {
    for (String socket : List.of("nul\0inside", "/x".repeat(100))) {
      String good = description(ProcessHandle.current().pid(), Instant.now(), Path.of("/none"));
      ObjectNode bad = (ObjectNode) MAPPER.readTree(good);
      write(bad.put("engineSocket", socket).toString());
      assertRefused("KVA-0135", "pid=" + ProcessHandle.current().pid(), folder);
    }
  }

  @Test
  void shouldSayThatThereIsNoNode() {
    assertRefused("KVA-0131", "runDir=" + folder.resolve("none"), folder.resolve("none"));
    assertRefused("KVA-0132", "runDir=" + folder, folder);
  }

  private void write(String text) throws IOException {
    Files.writeString(folder.resolve(NodeInfo.FILE_NAME), text);
  }

  private String description(long pid, Instant startedAt, Path socket) {
    return new NodeInfo(
            pid,
            "some-node",
            "00000000000000ab",
            "00000000000000cd",
            folder.toString(),
            socket.toString(),
            47500,
            47100,
            "127.0.0.1:20121",
            folder.toString(),
            startedAt.toString())
        .toJson();
  }

  private static void assertRefused(String id, String fact, Path directory) {
    Output output = Output.of("status", "--run-dir", directory.toString());
    assertEquals(1, output.exitCode(), output.out());
    assertEquals("", output.out());
    assertTrue(output.err().startsWith("kvasir: " + id + " "), output.err());
    assertTrue(Arrays.asList(output.err().split("[ ;\n]")).contains(fact), output.err());
  }
}
