package io.kvasir.cli.status;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Remembers where the last cluster that was left running keeps its run directories, so that {@code
 * kvasir status} finds it without being told. The file is {@code
 * ${XDG_STATE_HOME:-~/.local/state}/kvasir/last-run}: one line, the absolute path of the cluster's
 * directory.
 */
public final class LastRun {
  private final Path file;

  LastRun(Path file) {
    this.file = file;
  }

  /** The file of the user who runs this JVM. */
  public static LastRun ofUser() {
    return ofUser(System.getenv(), Path.of(System.getProperty("user.home")));
  }

  static LastRun ofUser(Map<String, String> environment, Path home) {
    String stateHome = environment.getOrDefault("XDG_STATE_HOME", "");
    // The XDG specification: a relative path is to be ignored.
    Path base = stateHome.startsWith("/") ? Path.of(stateHome) : home.resolve(".local/state");
    return new LastRun(base.resolve("kvasir").resolve("last-run"));
  }

  /** Where it is written. */
  public Path file() {
    return file;
  }

  /**
   * Remembers {@code clusterDirectory}, which has a run directory per node; the one before is
   * forgotten.
   */
  public void write(Path clusterDirectory) throws IOException {
    Files.createDirectories(file.getParent());
    Path temporary = file.resolveSibling(file.getFileName() + ".new");
    Files.writeString(temporary, clusterDirectory.toAbsolutePath() + "\n");
    Files.move(
        temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  /**
   * The directory that was written last, which may be gone by now, or null if there is none.
   *
   * @throws IOException if the file cannot be read or holds something else
   */
  public @Nullable Path read() throws IOException {
    String line;
    try {
      line = Files.readString(file).strip();
    } catch (NoSuchFileException e) {
      return null;
    }
    try {
      Path directory = Path.of(line);
      if (directory.isAbsolute()) {
        return directory;
      }
    } catch (InvalidPathException e) {
      // As wrong as a relative one.
    }
    throw new IOException(
        "KVA-0130 the last run is not an absolute path - file="
            + file
            + "; delete the file or name the directory with --run-dir");
  }
}
