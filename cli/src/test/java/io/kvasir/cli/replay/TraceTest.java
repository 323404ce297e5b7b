package io.kvasir.cli.replay;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TraceTest {
  private static final String GOOD =
      "{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [0, 7]}";

  @TempDir private Path folder;

  @Test
  void shouldReadRequestsWhenLinesAreGood() throws IOException {
    Trace trace = read(GOOD + "\n\n" + "{\"input_length\": 512, \"hash_ids\": [0]}\n", 10);

    assertEquals(2, trace.requests().size());
    assertArrayEquals(new int[] {0, 7}, trace.requests().get(0).blockIds());
    assertEquals(600, trace.requests().get(0).tokensIn(2));
    assertEquals(512, trace.requests().get(0).tokensIn(1));
  }

  @Test
  void shouldStopReadingWhenLimitIsReached() throws IOException {
    assertEquals(1, read(GOOD + "\nnot read\n", 1).requests().size());
  }

  @Test
  void shouldCountDistinctBlocksOfTheRequestsThatOneNodeServes() throws IOException {
    Trace trace =
        read(GOOD + "\n" + "{\"input_length\": 1, \"hash_ids\": [3]}\n" + GOOD + "\n", 10);

    assertEquals(2, trace.distinctBlocks(0, 2));
    assertEquals(1, trace.distinctBlocks(1, 2));
    assertEquals(3, trace.distinctBlocks(0, 1));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "not json",
        "[]",
        "{\"input_length\": 600}",
        "{\"input_length\": 600, \"hash_ids\": []}",
        "{\"input_length\": 600, \"hash_ids\": [1]}",
        "{\"input_length\": 600, \"hash_ids\": [1, 2, 3]}",
        "{\"input_length\": 0, \"hash_ids\": [1]}",
        "{\"input_length\": -1, \"hash_ids\": [1]}",
        "{\"input_length\": 1.5, \"hash_ids\": [1]}",
        "{\"input_length\": \"9\", \"hash_ids\": [1]}",
        "{\"input_length\": 9, \"hash_ids\": [-1]}",
        "{\"input_length\": 9, \"hash_ids\": [99999999999]}",
        "{\"input_length\": 9, \"hash_ids\": [\"x\"]}",
        "{\"input_length\": 9, \"hash_ids\": [1]"
      })
  void shouldNameTheLineWhenItIsBad(String bad) {
    IOException rejected =
        assertThrows(IOException.class, () -> read(GOOD + "\n" + bad + "\n", 10));

    String message = String.valueOf(rejected.getMessage());
    assertTrue(message.contains("line=2"), message);
    assertTrue(message.startsWith("KVA-0611"), message);
  }

  @Test
  void shouldRefuseAnEmptyTrace() {
    IOException rejected = assertThrows(IOException.class, () -> read("\n", 10));

    assertTrue(String.valueOf(rejected.getMessage()).startsWith("KVA-0610"));
  }

  @Test
  void shouldRefuseALineWithoutAnEnd() throws IOException {
    Path file = folder.resolve("endless.jsonl");
    Files.writeString(file, GOOD + "\n");
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      // A hole: a gigabyte of zeros that takes no room on the disk.
      channel.write(ByteBuffer.allocate(1), 1L << 30);
    }
    IOException rejected = assertThrows(IOException.class, () -> Trace.read(file, 10));

    String message = String.valueOf(rejected.getMessage());
    assertTrue(message.startsWith("KVA-0611"), message);
    assertTrue(message.contains("line=2: longer than"), message);
  }

  private Trace read(String text, int limit) throws IOException {
    Path file = folder.resolve("trace.jsonl");
    Files.writeString(file, text);
    return Trace.read(file, limit);
  }
}
