package io.kvasir.placement;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.math.BigInteger;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CborTest {
  /** RFC 8949, appendix A, and the edges of each width. */
  @ParameterizedTest
  @CsvSource({
    "0, 00",
    "1, 01",
    "10, 0a",
    "23, 17",
    "24, 1818",
    "100, 1864",
    "255, 18ff",
    "256, 190100",
    "1000, 1903e8",
    "65535, 19ffff",
    "65536, 1a00010000",
    "1000000, 1a000f4240",
    "4294967295, 1affffffff",
    "4294967296, 1b0000000100000000",
    "1000000000000, 1b000000e8d4a51000",
    "9223372036854775807, 1b7fffffffffffffff",
    "-1, 20",
    "-10, 29",
    "-24, 37",
    "-25, 3818",
    "-100, 3863",
    "-256, 38ff",
    "-257, 390100",
    "-1000, 3903e7",
    "-65536, 39ffff",
    "-65537, 3a00010000",
    "-4294967296, 3affffffff",
    "-4294967297, 3b0000000100000000",
    "-9223372036854775808, 3b7fffffffffffffff"
  })
  void shouldTakeShortestFormWhenWritingInteger(long value, String expected) {
    assertEquals(expected, hex(new Cbor().integer(value)));
  }

  @Test
  void shouldMatchRfcWhenWritingOtherTypes() {
    assertEquals("f6", hex(new Cbor().nil()));
    assertEquals("40", hex(new Cbor().bytes(new byte[0], 0, 0)));
    assertEquals("4401020304", hex(new Cbor().bytes(new byte[] {9, 1, 2, 3, 4, 9}, 1, 4)));
    assertEquals("60", hex(new Cbor().text("")));
    assertEquals("6449455446", hex(new Cbor().text("IETF")));
    assertEquals("62c3bc", hex(new Cbor().text("\u00fc")));
    assertEquals("64f0908591", hex(new Cbor().text("\ud800\udd51")));
    assertEquals("80", hex(new Cbor().array(0)));
    assertEquals("9819", hex(new Cbor().array(25)));
    assertEquals(
        "8301820203820405",
        hex(
            new Cbor()
                .array(3)
                .integer(1)
                .array(2)
                .integer(2)
                .integer(3)
                .array(2)
                .integer(4)
                .integer(5)));
  }

  @Test
  void shouldGrowWhenContentIsLong() {
    String text = "x".repeat(70_000);

    String hex = hex(new Cbor().text(text).integer(7));

    assertEquals("7a00011170" + "78".repeat(70_000) + "07", hex);
  }

  @Test
  void shouldDecodeToSameValueWhenIntegersAreRandom() {
    long seed = System.nanoTime();
    System.out.println("CborTest seed=" + seed);
    Random random = new Random(seed);
    for (int round = 0; round < 10_000; round++) {
      long value = random.nextLong() >> random.nextInt(64);
      byte[] bytes = new Cbor().integer(value).toByteArray();
      BigInteger argument =
          bytes.length == 1
              ? BigInteger.valueOf(bytes[0] & 0x1F)
              : new BigInteger(1, bytes, 1, bytes.length - 1);
      boolean negative = (bytes[0] & 0xFF) >> 5 == 1;
      BigInteger decoded = negative ? argument.not() : argument;
      assertEquals(BigInteger.valueOf(value), decoded, "seed=" + seed + " value=" + value);
    }
  }

  private static String hex(Cbor cbor) {
    return HexFormat.of().formatHex(cbor.toByteArray());
  }
}
