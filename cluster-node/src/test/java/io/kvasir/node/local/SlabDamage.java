package io.kvasir.node.local;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;

/** Damages the slab of a node that runs. */
final class SlabDamage {
  private SlabDamage() {}

  /** Flips one byte in every 64 KiB of all segment files. */
  static void flip(final Path slabDir) throws IOException {
    try (Stream<Path> files = Files.list(slabDir)) {
      for (final Path file : files.filter(f -> f.toString().endsWith(".seg")).toList()) {
        try (FileChannel channel =
            FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
          final ByteBuffer one = ByteBuffer.allocate(1);
          for (long offset = 12_345; offset < channel.size(); offset += 64 << 10) {
            one.clear();
            channel.read(one, offset);
            one.put(0, (byte) (one.get(0) ^ 1)).flip();
            channel.write(one, offset);
          }
        }
      }
    }
  }
}
