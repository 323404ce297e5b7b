package io.kvasir.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class KvasirTest {
  @ParameterizedTest
  @CsvSource({"--help,0", "--version,0", "no-such-command,2", "--no-such-option,2"})
  void shouldExitWithTheDocumentedCode(String argument, int exitCode) {
    assertEquals(exitCode, Kvasir.execute(argument));
  }

  @Test
  void shouldAskForACommandWhenNoneIsGiven() {
    assertEquals(2, Kvasir.execute());
  }
}
