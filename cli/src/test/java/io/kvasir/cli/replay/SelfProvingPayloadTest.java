package io.kvasir.cli.replay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

final class SelfProvingPayloadTest {
  private static final int BLOCK = 4_711;
  private static final long WRITERS = 100;
  private final MemorySegment chunk = MemorySegment.ofArray(new long[1_024]);

  @Test
  void shouldProveItselfWhenUntouched() {
    SelfProvingPayload.write(chunk, BLOCK, 42);

    assertEquals(0, SelfProvingPayload.wrongBytes(chunk, BLOCK, WRITERS));
  }

  @Test
  void shouldFailWhenAnyBitFlips() {
    for (long at = 0; at < chunk.byteSize(); at += 97) {
      SelfProvingPayload.write(chunk, BLOCK, 42);
      byte flipped = (byte) (chunk.get(ValueLayout.JAVA_BYTE, at) ^ (1 << (at % 8)));
      chunk.set(ValueLayout.JAVA_BYTE, at, flipped);

      assertTrue(
          SelfProvingPayload.wrongBytes(chunk, BLOCK, WRITERS) > 0, "flipped bit at byte " + at);
    }
  }

  @Test
  void shouldFailWhenBytesAreOfAnotherBlock() {
    SelfProvingPayload.write(chunk, BLOCK + 1, 42);

    assertTrue(SelfProvingPayload.wrongBytes(chunk, BLOCK, WRITERS) > 0);
  }

  @Test
  void shouldFailWhenTwoWritersAreMixed() {
    SelfProvingPayload.write(chunk, BLOCK, 42);
    MemorySegment other = MemorySegment.ofArray(new long[1_024]);
    SelfProvingPayload.write(other, BLOCK, 43);
    MemorySegment.copy(other, 4_096, chunk, 4_096, 4_096);

    assertEquals(4_096, SelfProvingPayload.wrongBytes(chunk, BLOCK, WRITERS));
  }

  @Test
  void shouldFailWhenShiftedOrZero() {
    SelfProvingPayload.write(chunk, BLOCK, 42);
    MemorySegment.copy(chunk, 8, chunk, 0, chunk.byteSize() - 8);
    assertTrue(SelfProvingPayload.wrongBytes(chunk, BLOCK, WRITERS) > 0);

    chunk.fill((byte) 0);
    assertTrue(SelfProvingPayload.wrongBytes(chunk, BLOCK, WRITERS) > 0);
  }
}
