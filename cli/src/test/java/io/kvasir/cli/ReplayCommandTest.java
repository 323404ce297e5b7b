package io.kvasir.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReplayCommandTest {
  private static final String GOOD = "{\"input_length\": 600, \"hash_ids\": [0, 7]}\n";

  @TempDir private Path folder;

  @ParameterizedTest
  @CsvSource({
    "--nodes 2 --limit 0, limit=0",
    "--nodes 2 --limit -1, limit=-1",
    "--nodes 0, nodes=0",
    "--nodes 2 --bytes-per-token 0, bytes-per-token=0",
    "--nodes 2 --kill-node 2 --at-request 0, kill-node=2 (limit=0..1)",
    "--nodes 2 --kill-node -1 --at-request 0, kill-node=-1 (limit=0..1)",
    "--nodes 2 --kill-node 1, --at-request",
    "--nodes 2 --kill-node 1 --at-request -1, at-request=-1",
    "--nodes 1 --kill-node 0 --at-request 0, kill-node=0",
    "--nodes 2 --corrupt 2, corrupt=2 (limit=0..1)",
    "--nodes 2 --policy mru, mru",
    "--nodes 2 --capacity much, much",
    "--nodes two, two",
    "--nodes 2 --trace /no/such/trace, /no/such/trace",
    "--nodes 2 --trace /, trace cannot be read",
    "--nodes 2 --slab-dir /no/such/folder, /no/such/folder",
    "--nodes 2 --bytes-per-token 2000000000, (limit=1..2097152)",
    "--nodes 2 --capacity -1, capacity=-1",
  })
  void shouldExitWithTwoAndStartNothingWhenUsedWrongly(final String options, final String fact)
      throws IOException {
    final Output output = replay(GOOD, options.split(" "));
    assertEquals(2, output.exitCode(), output.err());
    assertEquals("", output.out());
    assertTrue(output.err().contains(fact), output.err());
  }

  @ParameterizedTest
  @CsvSource({
    "--nodes 2 --kill-node 1 --at-request 1, KVA-0615",
    "--nodes 2 --corrupt 1, KVA-0616",
    "--nodes 2 --capacity 0, KVA-0617",
    "--nodes 2 --capacity 4KiB, KVA-0617",
    "--nodes 2 --capacity 1MiB --bytes-per-token 1100, KVA-0617",
    "--nodes 2 --capacity 1TiB, KVA-0614",
  })
  void shouldSayWhyWhenTheTraceDoesNotFitTheOptions(final String options, final String id)
      throws IOException {
    final Output output = replay(GOOD, options.split(" "));
    assertEquals(1, output.exitCode(), output.err());
    assertEquals("", output.out());
    assertTrue(output.err().startsWith("kvasir: " + id + " "), output.err());
    assertEquals(1, output.err().lines().count(), output.err());
  }

  @Test
  void shouldNameTheLineWhenItIsNotJson() throws IOException {
    final Output output = replay(GOOD + "{not json\n", "--nodes", "2");
    assertEquals(1, output.exitCode(), output.err());
    assertEquals("", output.out());
    assertTrue(output.err().startsWith("kvasir: KVA-0611 "), output.err());
    assertTrue(output.err().contains("line=2"), output.err());
  }

  @Test
  void shouldNameTheFileWhenItIsNoText() throws IOException {
    final Path file = Files.write(folder.resolve("binary"), new byte[] {(byte) 0xff, (byte) 0xfe});
    final Output output = replay("", "--nodes", "2", "--trace", file.toString());
    assertEquals(1, output.exitCode(), output.err());
    assertTrue(output.err().startsWith("kvasir: KVA-0611 "), output.err());
    assertTrue(output.err().contains(file.toString()), output.err());
  }

  @Test
  void shouldGoOnWithoutTheNodeThatItKilled() throws IOException {
    final StringBuilder trace = new StringBuilder();
    for (int i = 0; i < 300; i++) {
      // Ten prefixes of four blocks in turn, each with a block of its own behind.
      final int prefix = 4 * (i % 10);
      trace.append(
          "{\"input_length\": 2560, \"hash_ids\": [%d, %d, %d, %d, %d]}%n"
              .formatted(prefix, prefix + 1, prefix + 2, prefix + 3, 1_000 + i));
    }
    final Output output =
        replay(
            trace.toString(), "--nodes", "3", "--kill-node", "1", "--at-request", "100", "--json");
    assertEquals(0, output.exitCode(), output.err());
    final JsonNode json = JsonMapper.builder().build().readTree(output.out());
    assertTrue(json.at("/kill/gone").asBoolean(), output.out());
    assertEquals(2, json.path("nodes").size(), output.out());
    assertEquals(300, json.path("requests").asInt());
    assertEquals(0, json.path("wrongBytes").asInt());
    assertTrue(json.path("hitBlocks").asInt() > 0, output.out());
  }

  private Output replay(final String trace, final String... options) throws IOException {
    final List<String> arguments = new ArrayList<>();
    arguments.add("replay");
    if (!Arrays.asList(options).contains("--trace")) {
      final Path file = Files.writeString(folder.resolve("trace.jsonl"), trace);
      arguments.addAll(List.of("--trace", file.toString()));
    }
    arguments.addAll(Arrays.asList(options));
    return Output.of(arguments.toArray(String[]::new));
  }
}
