package io.kvasir.cli.doctor;

import io.kvasir.cli.text.Sizes;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Whether what a node writes into a directory fits on the file system there, and whether that is
 * memory.
 *
 * @param name of the check
 * @param directory the directory, which need not be there yet
 * @param needs what goes there
 */
record SpaceCheck(String name, Path directory, List<Need> needs, FileSystems fileSystems)
    implements Check {
  /** Docker, containerd and Kubernetes give this much unless told otherwise. */
  private static final long CONTAINER_SHM_BYTES = 64L << 20;

  /** What an earlier run left is taken over or replaced, so its room counts as free. */
  private static final String STORE_FILES = "{slab-*.seg,slots.kv,directory.kv}";

  /** One of the things that take room. */
  record Need(String what, long bytes) {
    @Override
    public String toString() {
      return what + " " + Sizes.text(bytes);
    }
  }

  @Override
  public Finding run() throws IOException {
    FileSystems.Space space = fileSystems.under(directory);
    long needed = needs.stream().mapToLong(Need::bytes).sum();
    long usable = space.usableBytes() + presentBytes();
    String sum =
        Sizes.text(needed)
            + " ("
            + needs.stream().map(Need::toString).collect(Collectors.joining(", "))
            + ")";
    if (needed > usable) {
      return new Finding.Fail(
          "KVA-0704 it does not fit - directory="
              + directory
              + " needs="
              + sum
              + " (limit="
              + Sizes.text(usable)
              + " usable of "
              + Sizes.text(space.totalBytes())
              + " "
              + space.type()
              + ")",
          space.isMemory() && space.totalBytes() <= CONTAINER_SHM_BYTES
              ? "give the container shared memory (docker run --shm-size="
                  + wholeGigabytes(needed)
                  + "g; Kubernetes: an emptyDir with medium: Memory on /dev/shm), or lower"
                  + " store.slab-bytes"
              : "free room, enlarge it (mount -o remount,size="
                  + wholeGigabytes(needed + space.totalBytes() - usable)
                  + "G for a tmpfs), or lower store.slab-bytes");
    }
    if (!space.isMemory()) {
      return new Finding.Warn(
          "KVA-0704 not memory - directory=" + directory + " fileSystem=" + space.type(),
          "put it on a tmpfs such as /dev/shm: on a disk the kernel keeps writing chunks back");
    }
    return new Finding.Ok(
        sum + " of " + Sizes.text(usable) + " usable, " + space.type() + " " + directory);
  }

  private long presentBytes() throws IOException {
    if (!Files.isDirectory(directory)) {
      return 0;
    }
    long bytes = 0;
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, STORE_FILES)) {
      for (Path file : files) {
        bytes += Files.size(file);
      }
    }
    return bytes;
  }

  private static long wholeGigabytes(long bytes) {
    return (bytes + (1L << 30) - 1) >> 30;
  }
}
