package io.kvasir.cli.status;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LastRunTest {
  @TempDir private Path home;

  @Test
  void shouldReadWhatWasWrittenLast() throws IOException {
    LastRun lastRun = LastRun.ofUser(Map.of(), home);
    assertNull(lastRun.read());
    lastRun.write(Path.of("/tmp/first"));
    lastRun.write(Path.of("/tmp/second"));
    assertEquals(Path.of("/tmp/second"), lastRun.read());
    assertEquals(home.resolve(".local/state/kvasir/last-run"), lastRun.file());
  }

  @Test
  void shouldFollowTheStateFolderOfTheEnvironmentWhenItIsAbsolute() {
    Path state = home.resolve("state");
    assertEquals(
        state.resolve("kvasir/last-run"),
        LastRun.ofUser(Map.of("XDG_STATE_HOME", state.toString()), home).file());
    assertEquals(
        home.resolve(".local/state/kvasir/last-run"),
        LastRun.ofUser(Map.of("XDG_STATE_HOME", "relative"), home).file());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "relative/path", "/nul\0inside"})
  void shouldSayWhatToDoWhenTheFileHoldsSomethingElse(String text) throws IOException {
    LastRun lastRun = LastRun.ofUser(Map.of(), home);
    Files.createDirectories(lastRun.file().getParent());
    Files.writeString(lastRun.file(), text);
    IOException refused = assertThrows(IOException.class, lastRun::read);
    String message = String.valueOf(refused.getMessage());
    assertTrue(message.startsWith("KVA-0130 "), message);
    assertTrue(message.contains(lastRun.file().toString()), message);
  }
}
