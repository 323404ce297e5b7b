package io.kvasir.node.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** Files and directories that only this user may open: chunks are other people's prompts. */
final class OwnerOnly {
  private static final FileAttribute<Set<PosixFilePermission>> FILE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
  private static final Set<PosixFilePermission> DIRECTORY_MODE =
      PosixFilePermissions.fromString("rwx------");

  private OwnerOnly() {}

  /** Mode 0600 for a new file. */
  static FileAttribute<Set<PosixFilePermission>> file() {
    return FILE;
  }

  /** Makes {@code directory} with mode 0700 unless it exists. */
  static void createDirectories(Path directory) throws IOException {
    Files.createDirectories(directory, PosixFilePermissions.asFileAttribute(DIRECTORY_MODE));
  }

  /** The user that a file belongs to. */
  static int uid(Path file) throws IOException {
    return (int) Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
  }

  /** Sets mode 0600 on a file that a library made. */
  static void restrict(Path file) throws IOException {
    Files.setPosixFilePermissions(file, FILE.value());
  }
}
