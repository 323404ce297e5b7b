package io.kvasir.node;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.SecureRandom;
import java.util.HexFormat;

/** The number of a node: drawn at its first start, kept in its run directory. */
final class NodeId {
  private static final String FILE_NAME = "node.id";

  private NodeId() {}

  /**
   * Reads the number, or draws it.
   *
   * @return never 0
   * @throws NodeException if the file holds something else
   */
  static long of(final Path runDirectory) throws IOException {
    final Path file = runDirectory.resolve(FILE_NAME);
    try {
      // Any bytes are some text here, so that what is no id is told as such.
      return parse(file, Files.readString(file, StandardCharsets.ISO_8859_1).strip());
    } catch (final NoSuchFileException e) {
      final long id = draw(new SecureRandom());
      final Path temporary = runDirectory.resolve(FILE_NAME + ".new");
      Files.writeString(temporary, HexFormat.of().toHexDigits(id) + "\n");
      Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
      return id;
    }
  }

  private static long draw(final SecureRandom random) {
    long id = random.nextLong();
    while (id == 0) {
      id = random.nextLong();
    }
    return id;
  }

  private static long parse(final Path file, final String text) {
    if (text.matches("[0-9a-f]{16}") && !text.equals("0000000000000000")) {
      return HexFormat.fromHexDigitsToLong(text);
    }
    throw new NodeException(
        "KVA-0112 node id not read - file="
            + file
            + " (expected=16 hexadecimal digits); delete the file and the node draws a new one",
        null);
  }
}
