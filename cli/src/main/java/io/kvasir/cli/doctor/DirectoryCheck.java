package io.kvasir.cli.doctor;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.Set;

/**
 * Whether a node may write a directory, whether another one holds it, and who else may write there.
 *
 * @param name of the check
 * @param key configuration key of the directory
 * @param lockFile what a node locks in it
 */
record DirectoryCheck(String name, String key, Path directory, String lockFile) implements Check {

  @Override
  public Finding run() throws IOException {
    Path existing = FileSystems.nearestExisting(directory);
    if (!Files.isDirectory(existing)) {
      return new Finding.Fail(
          "KVA-0706 not a directory - " + key + "=" + directory + " file=" + existing,
          "remove that file or choose another " + key);
    }
    if (!Files.isWritable(existing)) {
      return new Finding.Fail(
          "KVA-0706 no right to write - " + key + "=" + directory + " refused=" + existing,
          "run as the owner, chown " + existing + ", or choose another " + key);
    }
    if (!existing.equals(directory)) {
      return new Finding.Ok(directory + ", to be made");
    }
    Finding found = lock(directory.resolve(lockFile));
    return found instanceof Finding.Ok ? exposure(found) : found;
  }

  private Finding lock(Path file) throws IOException {
    if (!Files.exists(file)) {
      return new Finding.Ok(directory + ", writable and free");
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
        FileLock lock = channel.tryLock()) {
      if (lock != null) {
        return new Finding.Ok(directory + ", writable and free");
      }
    } catch (OverlappingFileLockException e) {
      // Held by this very process.
    }
    return new Finding.Warn(
        "KVA-0706 a node runs here - " + key + "=" + directory + " pid=" + holder(file),
        "nothing, if this is the node you ask about; a second one needs a " + key + " of its own");
  }

  /** Whoever may write there can replace the engine socket or the slab by something of theirs. */
  private Finding exposure(Finding otherwise) throws IOException {
    UserPrincipal owner = Files.getOwner(directory);
    if (!owner.equals(Files.getOwner(Path.of("/proc/self")))) {
      return new Finding.Warn(
          "KVA-0706 owned by another user - " + key + "=" + directory + " owner=" + owner.getName(),
          "chown it to the user that runs the node, unless that owner is trusted");
    }
    Set<PosixFilePermission> mode = Files.getPosixFilePermissions(directory);
    if (mode.contains(PosixFilePermission.OTHERS_WRITE)) {
      return new Finding.Warn(
          "KVA-0706 everybody may write - "
              + key
              + "="
              + directory
              + " mode="
              + PosixFilePermissions.toString(mode),
          "chmod o-w " + directory + ", unless only trusted users can reach it (a pod's emptyDir)");
    }
    return otherwise;
  }

  private static String holder(Path file) throws IOException {
    String pid = Files.readString(file).strip();
    return pid.isEmpty() ? "unknown" : pid;
  }
}
