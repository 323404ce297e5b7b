package io.kvasir.node.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * An exclusive lock on a directory, held by a file with the holder's pid in it. The kernel drops
 * the lock with the process, so a killed node leaves nothing to clean up; the file itself stays.
 */
public final class LockFile implements AutoCloseable {
  /**
   * Paths that this process holds. POSIX gives up all locks of a process on a file when it closes
   * any descriptor of that file, so a second attempt must not even open it.
   */
  private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

  private final Path path;
  private final FileChannel channel;
  private boolean closed;

  private LockFile(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  /**
   * Locks {@code directory}, which must exist.
   *
   * @throws StoreException KVA-0202 if another process or store holds it
   */
  public static LockFile acquire(Path directory, String fileName) throws IOException {
    Path path = directory.toRealPath().resolve(fileName);
    if (!HELD.add(path)) {
      throw held(path, Long.toString(ProcessHandle.current().pid()));
    }
    FileChannel channel = null;
    try {
      channel =
          FileChannel.open(
              path,
              Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
              OwnerOnly.file());
      @Nullable FileLock lock = channel.tryLock();
      if (lock == null) {
        throw held(path, Files.readString(path).strip());
      }
      channel.truncate(0);
      channel.write(
          ByteBuffer.wrap(
              (ProcessHandle.current().pid() + "\n").getBytes(StandardCharsets.US_ASCII)));
      return new LockFile(path, channel);
    } catch (IOException | RuntimeException e) {
      if (channel != null) {
        channel.close();
      }
      HELD.remove(path);
      throw e;
    }
  }

  private static StoreException held(Path path, String pid) {
    return new StoreException(
        "KVA-0202 directory is in use by another node - directory="
            + path.getParent()
            + " pid="
            + (pid.isEmpty() ? "unknown" : pid)
            + "; stop that node or choose another directory");
  }

  @Override
  public void close() throws IOException {
    if (closed) {
      return;
    }
    closed = true;
    try {
      channel.close();
    } finally {
      HELD.remove(path);
    }
  }
}
