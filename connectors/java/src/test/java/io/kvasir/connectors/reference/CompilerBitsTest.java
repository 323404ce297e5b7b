package io.kvasir.connectors.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The same bits from the interpreter, from C1, from C2 and from C2 with narrow vectors. */
@Timeout(value = 3, unit = TimeUnit.MINUTES)
final class CompilerBitsTest {
  private static String expected = "";

  @BeforeAll
  static void computeWithTheDefaultJit() throws Exception {
    expected = digest("60", "-XX:+TieredCompilation");
    assertEquals(64, expected.length(), expected);
  }

  @ParameterizedTest
  @CsvSource({
    "1, -Xint",
    "20, -XX:TieredStopAtLevel=1",
    "60, -Xbatch -XX:-TieredCompilation",
    "60, -XX:+IgnoreUnrecognizedVMOptions -XX:UseAVX=0",
    "60, -XX:-UseSuperWord",
  })
  void shouldGiveTheSameBitsWhenCompiledBy(String rounds, String flags) throws Exception {
    assertEquals(expected, digest(rounds, flags.split(" ")), flags);
  }

  private static String digest(String rounds, String... flags) throws Exception {
    final List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(Arrays.asList(flags));
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), BitsProbe.class.getName(), rounds));
    final Process child = new ProcessBuilder(command).redirectErrorStream(true).start();
    try {
      final String output =
          new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
      assertEquals(0, child.waitFor(), output);
      return output;
    } finally {
      child.destroyForcibly();
    }
  }
}
