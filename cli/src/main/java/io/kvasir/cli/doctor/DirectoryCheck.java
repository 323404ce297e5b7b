package io.kvasir.cli.doctor;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Whether a node may write a directory, and whether another one holds it.
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
    return lock(directory.resolve(lockFile));
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

  private static String holder(Path file) throws IOException {
    String pid = Files.readString(file).strip();
    return pid.isEmpty() ? "unknown" : pid;
  }
}
