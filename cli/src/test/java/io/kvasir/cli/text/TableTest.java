package io.kvasir.cli.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TableTest {
  @Test
  void shouldAlignNumbersRightAndTextLeft() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    new Table("node", "chunks", "used")
        .row("a", "1,024", "1.5 KiB")
        .row("long-name", "7", "0 B")
        .print(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    assertEquals(
        """
        node       chunks     used
        a           1,024  1.5 KiB
        long-name       7      0 B
        """,
        bytes.toString(StandardCharsets.UTF_8));
  }

  @Test
  void shouldRefuseARowOfAnotherWidth() {
    Table table = new Table("one", "two");
    assertThrows(IllegalArgumentException.class, () -> table.row("only"));
  }

  @ParameterizedTest
  @CsvSource({
    "0,0 B",
    "1023,1023 B",
    "1024,1.0 KiB",
    "1048575,1.0 MiB",
    "67108864,64.0 MiB",
    "-2048,-2.0 KiB",
    "9223372036854775807,8388608.0 TiB"
  })
  void shouldRoundSizesForPeople(long bytes, String text) {
    assertEquals(text, Sizes.text(bytes));
  }
}
