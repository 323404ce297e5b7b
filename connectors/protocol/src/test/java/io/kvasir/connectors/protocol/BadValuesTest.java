package io.kvasir.connectors.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** LOOKUP and FOUND whose numbers contradict the page. */
final class BadValuesTest {
  private final Map<String, byte[]> vectors = Vectors.load();

  @ParameterizedTest(name = "{0} offset {1} value {2}")
  @CsvSource({
    "lookup-prefill-rate, 0, 0x80000000",
    "lookup-prefill-rate, 0, 0xFFFFFFFF",
    "lookup-prefill-rate, 4, 1",
    "found, 0, 0x80000000",
    "found, 4, 4",
    "found, 32, 4",
    "found, 32, 0xFFFFFFFF",
    "found, 36, 6",
    "found, 36, 0xFFFFFFFF"
  })
  void shouldRefuseABodyWhenAValueIsOutOfRange(String name, int offset, String value) {
    final byte[] bytes = Objects.requireNonNull(vectors.get(name)).clone();
    ByteBuffer.wrap(bytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(Protocol.HEADER_BYTES + offset, Long.decode(value).intValue());
    final Frame frame = Vectors.frame(bytes);
    final MalformedFrameException refused =
        assertThrows(
            MalformedFrameException.class,
            () -> {
              if (frame.type() == MessageType.LOOKUP) {
                new LookupBody().wrap(frame);
              } else {
                new FoundBody().wrap(frame);
              }
            });
    assertEquals(ErrorCode.MALFORMED, refused.errorCode());
  }
}
