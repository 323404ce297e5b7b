package io.kvasir.node.local;

import io.kvasir.node.store.LockFile;
import io.kvasir.node.store.StoreConfig;
import io.kvasir.node.store.StoreException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A folder for files that go with the process which made it. A process that was killed leaves its
 * folder behind; the next one that makes a folder of that kind in the same place removes it.
 *
 * <p>The maker holds a file lock in the folder for as long as it lives, as nodes do in theirs. So a
 * folder is left over if nobody holds any of these locks: unlike a pid, a lock also tells the truth
 * between containers that share {@code /dev/shm}. Not thread-safe.
 */
public final class LocalFolder implements AutoCloseable {
  private static final String OWNER_LOCK = "owner.lock";
  private static final List<String> NODE_LOCKS =
      List.of(StoreConfig.RUN_LOCK_FILE, StoreConfig.SLAB_LOCK_FILE);

  private final Path path;
  private final LockFile owner;

  private LocalFolder(final Path path, final LockFile owner) {
    this.path = path;
    this.owner = owner;
  }

  /**
   * Makes a folder for this user alone, and removes those of the same kind that killed processes of
   * this user left.
   *
   * @param parent exists
   * @param kind first part of the name
   */
  public static LocalFolder create(final Path parent, final String kind) throws IOException {
    final Path path = Files.createTempDirectory(parent, kind);
    final LocalFolder folder = new LocalFolder(path, LockFile.acquire(path, OWNER_LOCK));
    try (DirectoryStream<Path> others = Files.newDirectoryStream(parent, kind + "*")) {
      for (final Path other : others) {
        if (!other.equals(path) && userId(other) == userId(path)) {
          removeIfLeft(other);
        }
      }
    } catch (final IOException | DirectoryIteratorException _) {
      // Tidying up is a courtesy, not what the caller came for.
    }
    return folder;
  }

  public Path path() {
    return path;
  }

  /** Leaves the folder where it is, for good: it is no longer of this process. */
  void keep() throws IOException {
    Files.deleteIfExists(path.resolve(OWNER_LOCK));
    owner.close();
  }

  /** Deletes the folder with all that is in it. Idempotent. */
  @Override
  public void close() throws IOException {
    delete(path);
    owner.close();
  }

  private static int userId(final Path folder) throws IOException {
    try {
      return (int) Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    } catch (final NoSuchFileException _) {
      return -1; // its maker has just removed it
    }
  }

  private static void removeIfLeft(final Path folder) {
    final List<LockFile> locks = new ArrayList<>();
    try {
      final Path ownerLock = folder.resolve(OWNER_LOCK);
      // The pid is written under the lock: an empty file is one whose maker is about to lock it.
      if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS) || Files.size(ownerLock) == 0) {
        return;
      }
      locks.add(LockFile.acquire(folder, OWNER_LOCK));
      lockNodes(folder, locks);
      delete(folder);
    } catch (final IOException | UncheckedIOException | StoreException _) {
      // In use, kept, or being removed by another process: not ours to touch.
    } finally {
      locks.forEach(LocalFolder::release);
    }
  }

  /** Nodes may outlive a killed maker. */
  private static void lockNodes(final Path folder, final List<LockFile> locks) throws IOException {
    final List<Path> folders;
    try (Stream<Path> tree = Files.walk(folder)) {
      folders = tree.filter(Files::isDirectory).toList();
    }
    for (final Path node : folders) {
      for (final String name : NODE_LOCKS) {
        if (Files.exists(node.resolve(name))) {
          locks.add(LockFile.acquire(node, name));
        }
      }
    }
  }

  private static void release(final LockFile lock) {
    try {
      lock.close();
    } catch (final IOException _) {
      // The descriptor is gone either way, and the lock with it.
    }
  }

  /**
   * The owner's lock goes last: what an interrupted deletion leaves is still known as left over.
   */
  private static void delete(final Path root) throws IOException {
    final Path ownerLock = root.resolve(OWNER_LOCK);
    try {
      Files.walkFileTree(
          root,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(final Path file, final BasicFileAttributes attributes)
                throws IOException {
              if (!file.equals(ownerLock)) {
                Files.deleteIfExists(file);
              }
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(
                final Path folder, final @Nullable IOException problem) throws IOException {
              if (folder.equals(root)) {
                Files.deleteIfExists(ownerLock);
              }
              Files.deleteIfExists(folder);
              return FileVisitResult.CONTINUE;
            }
          });
    } catch (final NoSuchFileException _) {
      // Nothing is left to delete.
    }
  }
}
