package io.kvasir.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
