package io.kvasir.node.local;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.node.store.LockFile;
import io.kvasir.node.store.StoreConfig;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What killed processes leave goes, what living ones use stays. */
@Timeout(120)
class LocalFolderTest {
  private static final String KIND = "kvasir-test-";

  @TempDir private Path parent;

  @Test
  void shouldRemoveTheFolderOfAProcessOnlyWhenItWasKilled() throws Exception {
    final Process child = child();
    try (BufferedReader out = child.inputReader()) {
      final Path left = pathIn(out.readLine());
      Files.createDirectories(left.resolve("node-0"));
      Files.writeString(left.resolve("node-0").resolve(StoreConfig.RUN_LOCK_FILE), "4711\n");
      makeAnother();
      assertTrue(Files.exists(left.resolve("node-0")), "its maker lives");
      kill(child);
      makeAnother();
      assertFalse(Files.exists(left), "its maker was killed");
    } finally {
      kill(child);
    }
  }

  @Test
  void shouldLeaveTheFolderOfAKilledProcessWhenANodeStillRunsInIt() throws Exception {
    final Process child = child();
    try (BufferedReader out = child.inputReader()) {
      final Path left = pathIn(out.readLine());
      kill(child);
      final Path node = Files.createDirectories(left.resolve("kvasir-local-1/node-0"));
      try (LockFile running = LockFile.acquire(node, StoreConfig.SLAB_LOCK_FILE)) {
        assertNotNull(running);
        makeAnother();
        assertTrue(Files.exists(node), "a node runs there");
      }
      makeAnother();
      assertFalse(Files.exists(left), "nobody runs there");
    } finally {
      kill(child);
    }
  }

  @Test
  void shouldLeaveWhatIsKeptOrNotItsOwn() throws IOException {
    final LocalFolder kept = LocalFolder.create(parent, KIND);
    Files.writeString(kept.path().resolve("file"), "");
    kept.keep();
    final Path strange = Files.createDirectory(parent.resolve(KIND + "strange"));
    final Path aboutToLock = Files.createDirectory(parent.resolve(KIND + "young"));
    Files.writeString(aboutToLock.resolve("owner.lock"), "");
    final Path otherKind = Files.createDirectory(parent.resolve("other-1"));
    Files.writeString(otherKind.resolve("owner.lock"), "1\n");
    makeAnother();
    assertTrue(Files.exists(kept.path().resolve("file")));
    assertTrue(Files.exists(strange));
    assertTrue(Files.exists(aboutToLock));
    assertTrue(Files.exists(otherKind));
  }

  private void makeAnother() throws IOException {
    final LocalFolder another = LocalFolder.create(parent, KIND);
    assertTrue(Files.exists(another.path()));
    another.close();
    another.close();
    assertFalse(Files.exists(another.path()));
  }

  private Process child() throws IOException {
    final List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(LocalFolderChild.class.getName(), parent.toString(), KIND));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  private static Path pathIn(final @Nullable String line) {
    assertNotNull(line, "the child said nothing");
    return Path.of(line);
  }

  private static void kill(final Process child) throws InterruptedException {
    child.destroyForcibly();
    assertTrue(child.waitFor(30, TimeUnit.SECONDS));
  }
}
