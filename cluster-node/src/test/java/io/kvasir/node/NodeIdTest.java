package io.kvasir.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NodeIdTest {
  @TempDir private Path directory;

  @Test
  void shouldKeepTheIdWhenAskedAgain() throws IOException {
    final long id = NodeId.of(directory);
    assertNotEquals(0, id);
    assertEquals(id, NodeId.of(directory));
  }

  @Test
  void shouldNameTheFileWhenItHoldsSomethingElse() throws IOException {
    for (final byte[] bytes : new byte[][] {{}, {'x'}, {(byte) 0xff, (byte) 0xfe, 0}}) {
      Files.write(directory.resolve("node.id"), bytes);
      final NodeException refused = assertThrows(NodeException.class, () -> NodeId.of(directory));
      assertTrue(refused.toString().contains("KVA-0112"), refused.toString());
    }
  }
}
