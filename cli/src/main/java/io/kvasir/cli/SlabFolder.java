package io.kvasir.cli;

import java.nio.file.Files;
import java.nio.file.Path;

/** The folder that {@code --slab-dir} names. */
final class SlabFolder {
  private SlabFolder() {}

  /**
   * Checks that slabs can be made there. A folder that is missing is not made: with a typing error
   * gigabytes would go to a disk, and nobody would remove the folder.
   *
   * @throws IllegalArgumentException when they cannot
   */
  static void require(Path folder) {
    if (!Files.isDirectory(folder) || !Files.isWritable(folder)) {
      throw new IllegalArgumentException(
          "KVA-0620 --slab-dir is not a folder that can be written - folder="
              + folder
              + "; name one on a memory file system, or leave the option out for /dev/shm");
    }
  }
}
