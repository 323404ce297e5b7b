package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Random;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a holder may and may not send. */
final class PullStateTest {
  private static final int LENGTH = 1_000;
  private static final long VERSION = 7;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment guarded = arena.allocate(3 * LENGTH);
  private final UnsafeBuffer term = new UnsafeBuffer(ByteBuffer.allocateDirect(4_096));
  private final TestPull outcome =
      TestPull.of(
          new PullChunk(Payload.key(1), 1, guarded.asSlice(LENGTH, LENGTH), LENGTH, VERSION, 0));
  private final Pull pull =
      new Pull(outcome.request(2, "127.0.0.1:1", Duration.ofSeconds(9)), 1 << 20, 0);

  @AfterEach
  void closeArena() {
    arena.close();
  }

  private Pull.Outcome segment(int chunk, long version, int offset, int length) {
    return pull.onSegment(chunk, version, offset, term, 0, length);
  }

  private void open() {
    assertTrue(pull.onHeader(0, VERSION, LENGTH, 0, 99));
  }

  @Test
  void shouldTakeSegmentsThatContinueTheChunk() {
    open();
    assertEquals(Pull.Outcome.WRITTEN, segment(0, VERSION, 0, 600));
    assertEquals(Pull.Outcome.CHUNK_ENDED, segment(0, VERSION, 600, 400));
    assertTrue(pull.isEnded());
    assertEquals(99, outcome.outcome(0).crc32c());
  }

  @Test
  void shouldRefuseHeadersThatDoNotMatchTheRequest() {
    assertFalse(pull.onHeader(1, VERSION, LENGTH, 0, 0));
    assertFalse(pull.onHeader(-1, VERSION, LENGTH, 0, 0));
    assertFalse(pull.onHeader(0, VERSION + 1, LENGTH, 0, 0));
    assertFalse(pull.onHeader(0, 0, LENGTH, 0, 0));
    assertFalse(pull.onHeader(0, VERSION, LENGTH + 1, 0, 0));
    assertFalse(pull.onHeader(0, VERSION, LENGTH, 1, 0));
    open();
    assertFalse(pull.onHeader(0, VERSION, LENGTH, 0, 0), "a second header");
  }

  @Test
  void shouldRefuseSegmentsOutOfRangeOrTurnOrVersion() {
    assertEquals(Pull.Outcome.BREACH, segment(0, VERSION, 0, 10), "before the header");
    open();
    assertEquals(Pull.Outcome.WRITTEN, segment(0, VERSION, 0, 100));
    assertEquals(Pull.Outcome.BREACH, segment(1, VERSION, 100, 10), "no such chunk");
    assertEquals(Pull.Outcome.BREACH, segment(-1, VERSION, 100, 10), "no such chunk");
    assertEquals(Pull.Outcome.BREACH, segment(0, VERSION + 1, 100, 10), "another version");
    assertEquals(Pull.Outcome.BREACH, segment(0, VERSION, 101, 10), "a gap");
    assertEquals(Pull.Outcome.BREACH, segment(0, VERSION, 50, 100), "an overlap");
    assertEquals(Pull.Outcome.BREACH, segment(0, VERSION, 100, 901), "beyond the end");
    assertEquals(Pull.Outcome.BREACH, segment(0, VERSION, -1, 10), "before the start");
    assertEquals(Pull.Outcome.BREACH, segment(0, VERSION, 100, 0), "empty");
    assertEquals(Pull.Outcome.BREACH, segment(0, VERSION, Integer.MAX_VALUE, 10), "overflow");
    assertEquals(Pull.Outcome.IGNORED, segment(0, VERSION, 0, 100), "a repetition");
    assertEquals(Pull.Outcome.WRITTEN, segment(0, VERSION, 100, 10));
  }

  @Test
  void shouldNeverWriteOutsideTheSlotWhateverArrives() {
    long seed = System.nanoTime();
    System.out.println("seed=" + seed);
    Random random = new Random(seed);
    term.setMemory(0, term.capacity(), (byte) 1);
    open();
    for (int i = 0; i < 200_000 && !pull.isEnded(); i++) {
      int offset = random.nextInt(4) == 0 ? random.nextInt() : random.nextInt(LENGTH + 50) - 20;
      segment(random.nextInt(3) - 1, VERSION, offset, random.nextInt(200) - 10);
    }
    for (int i = 0; i < LENGTH; i++) {
      assertEquals(0, guarded.get(ValueLayout.JAVA_BYTE, i));
      assertEquals(0, guarded.get(ValueLayout.JAVA_BYTE, 2 * LENGTH + i));
    }
  }

  @Test
  void shouldGrantCreditBeforeItRunsOut() {
    TestPull small =
        TestPull.of(
            new PullChunk(Payload.key(1), 1, guarded.asSlice(LENGTH, LENGTH), LENGTH, 0, 0));
    Pull bounded = new Pull(small.request(2, "127.0.0.1:1", Duration.ofSeconds(9)), 200, 0);
    assertTrue(bounded.onHeader(0, VERSION, LENGTH, 0, 0));
    bounded.onSegment(0, VERSION, 0, term, 0, 99);
    assertFalse(bounded.isCreditDue());
    bounded.onSegment(0, VERSION, 99, term, 0, 1);
    assertTrue(bounded.isCreditDue());
    assertEquals(300, bounded.grantedBytes());
  }

  @Test
  void shouldRefuseBadRequests() {
    MemorySegment slot = guarded.asSlice(0, LENGTH);
    assertThrows(
        IllegalArgumentException.class,
        () -> new PullChunk(Payload.key(1), 1, slot, LENGTH + 1, 0, 0));
    assertThrows(
        IllegalArgumentException.class, () -> new PullChunk(Payload.key(1), 1, slot, 0, 0, 0));
    assertThrows(
        IllegalArgumentException.class, () -> new PullChunk(Payload.key(1), 1, slot, 10, 0, 5));
    assertThrows(
        IllegalArgumentException.class, () -> new PullChunk(Payload.key(1), 1, slot, 10, 9, 10));
    assertThrows(
        IllegalArgumentException.class,
        () -> new PullChunk(Payload.key(1), 1, slot.asReadOnly(), 10, 9, 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> new PullChunk(Payload.key(1), 1, MemorySegment.ofArray(new byte[9]), 9, 9, 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> TestPull.of().request(2, "127.0.0.1:1", Duration.ofSeconds(9)));
  }
}
