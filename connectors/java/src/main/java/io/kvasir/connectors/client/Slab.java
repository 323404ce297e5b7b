package io.kvasir.connectors.client;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The node's slab segment files, mapped for as long as the client lives. */
final class Slab implements AutoCloseable {
  private final Arena arena = Arena.ofShared();
  private final List<MemorySegment> segments = new ArrayList<>();

  /** A segment file as the node describes it. */
  record SegmentFile(Path path, long bytes) {}

  private Slab() {}

  /**
   * Maps all segment files.
   *
   * @throws NodeUnavailableException if one is missing or has another size
   */
  static Slab map(List<SegmentFile> files) {
    final Slab slab = new Slab();
    try {
      for (final SegmentFile file : files) {
        slab.map(file);
      }
      return slab;
    } catch (Throwable t) {
      slab.close();
      throw t;
    }
  }

  /**
   * A part of a segment.
   *
   * @throws IndexOutOfBoundsException if there is no such part
   */
  MemorySegment slice(int segment, long offset, long bytes) {
    return segments.get(segment).asSlice(offset, bytes);
  }

  /** Unmaps. Whoever still reads gets an exception, not a fault. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }

  private void map(SegmentFile file) {
    if (!Files.isRegularFile(file.path())) {
      throw unusable(file, "file=missing", null);
    }
    try (FileChannel channel =
        FileChannel.open(file.path(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      if (channel.size() != file.bytes()) {
        throw unusable(file, "fileBytes=" + channel.size(), null);
      }
      segments.add(channel.map(MapMode.READ_WRITE, 0, file.bytes(), arena));
    } catch (IOException e) {
      throw unusable(file, "cause=" + e, e);
    }
  }

  private static NodeUnavailableException unusable(
      SegmentFile file, String what, @Nullable IOException cause) {
    return new NodeUnavailableException(
        "KVA-0514 slab segment cannot be mapped - path="
            + file.path()
            + " bytes="
            + file.bytes()
            + " "
            + what
            + "; engine and node must see the same slab directory under the same user",
        cause);
  }
}
