package io.kvasir.cli.doctor;

import java.io.IOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/** Asks for the file system under a path; tests answer with ones that this machine lacks. */
interface FileSystems {
  /**
   * A file system.
   *
   * @param type as the kernel names it
   */
  record Space(String type, long totalBytes, long usableBytes) {
    private static final Set<String> MEMORY_TYPES = Set.of("tmpfs", "ramfs", "hugetlbfs");

    /** Whether its files are memory, so that nothing is ever written back to a disk. */
    boolean isMemory() {
      return MEMORY_TYPES.contains(type);
    }
  }

  /** The one that holds {@code path}, or will when its folders are made. */
  Space under(Path path) throws IOException;

  /** Whether two paths share one. */
  boolean same(Path one, Path other) throws IOException;

  /** Those of this machine. */
  static FileSystems local() {
    return new FileSystems() {
      @Override
      public Space under(Path path) throws IOException {
        FileStore store = store(path);
        return new Space(store.type(), store.getTotalSpace(), store.getUsableSpace());
      }

      @Override
      public boolean same(Path one, Path other) throws IOException {
        return store(one).equals(store(other));
      }

      private static FileStore store(Path path) throws IOException {
        return Files.getFileStore(nearestExisting(path));
      }
    };
  }

  /** The path itself, or the deepest of its folders that is there. */
  static Path nearestExisting(Path path) {
    Path candidate = path.toAbsolutePath();
    while (!Files.exists(candidate) && candidate.getParent() != null) {
      candidate = candidate.getParent();
    }
    return candidate;
  }
}
