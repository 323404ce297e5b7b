package io.kvasir.cli.doctor;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.OptionalLong;

/**
 * What the kernel says in {@code /proc} and {@code /sys}.
 *
 * @param root the file system's root; tests have one of their own
 */
record HostFiles(Path root) {
  private static final int TEXT_BYTES_MAX = 1 << 16;

  /** The whole file; {@code path} is relative to the root. */
  String text(String path) throws IOException {
    byte[] buffer = new byte[TEXT_BYTES_MAX];
    // The kernel gives the number in /proc/sys to one read: what a small first read leaves is lost,
    // and Files.readString begins with one byte where the size is 0.
    try (InputStream in = Files.newInputStream(root.resolve(path))) {
      int length = in.readNBytes(buffer, 0, buffer.length);
      return new String(buffer, 0, length, StandardCharsets.UTF_8);
    }
  }

  /** The one number in a file, or nothing if the file is not there or says something else. */
  OptionalLong number(String path) throws IOException {
    try {
      String text = text(path).strip();
      return text.matches("[0-9]{1,18}")
          ? OptionalLong.of(Long.parseLong(text))
          : OptionalLong.empty();
    } catch (NoSuchFileException e) {
      return OptionalLong.empty();
    }
  }

  /**
   * A soft limit of this process; {@code Long.MAX_VALUE} stands for unlimited.
   *
   * @param name as in {@code /proc/self/limits}
   */
  long softLimit(String name) throws IOException {
    for (String line : text("proc/self/limits").lines().toList()) {
      if (line.startsWith(name + " ")) {
        String soft = line.substring(name.length()).strip().split(" ", 2)[0];
        if (soft.matches("[0-9]{1,18}")) {
          return Long.parseLong(soft);
        }
        return Long.MAX_VALUE;
      }
    }
    throw new IOException("no line for " + name + " in " + root.resolve("proc/self/limits"));
  }
}
