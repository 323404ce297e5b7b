package io.kvasir.benchmarks.reference;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.SplittableRandom;

/**
 * A shared-memory file like a slab segment: mapped and written once, so that no reference pays for
 * page faults that the node has paid at start. Not thread-safe.
 */
public final class PrefaultedFile implements AutoCloseable {
  private final Path path;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment memory;

  public PrefaultedFile(Path path, long bytes, long seed) throws IOException {
    this.path = path;
    try (FileChannel channel =
        FileChannel.open(
            path,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      memory = channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
    }
    SplittableRandom random = new SplittableRandom(seed);
    for (long at = 0; at < bytes - 7; at += 8) {
      memory.set(ValueLayout.JAVA_LONG_UNALIGNED, at, random.nextLong());
    }
  }

  public MemorySegment memory() {
    return memory;
  }

  @Override
  public void close() throws IOException {
    if (arena.scope().isAlive()) {
      arena.close();
      Files.deleteIfExists(path);
    }
  }
}
