package io.kvasir.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

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

  @ParameterizedTest
  @ValueSource(strings = {"no-such-directory/result.json", ".", "/proc/version/result.json"})
  void shouldRefuseAJsonFileThatCannotBeWrittenBeforeTheWork(String file) {
    Output output = Output.of("doctor", "--json", file);

    assertEquals(2, output.exitCode());
    assertEquals("", output.out());
    assertTrue(output.err().contains("KVA-0140"), output.err());
  }

  @ParameterizedTest
  @CsvSource({"lookup,1408,KVA-0671", "pull,1408,KVA-0670", "pull,-1,KVA-0670"})
  void shouldRefuseAnMtuThatTheLoopbackDeviceDoesNotEnforce(String bench, String mtu, String code) {
    Output output = Output.of("bench", bench, "--mtu", mtu);

    assertEquals(2, output.exitCode());
    assertTrue(output.err().contains(code), output.err());
  }
}
