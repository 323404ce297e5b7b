package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
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
  private final byte[] bytes = new byte[LENGTH];
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
    assertTrue(pull.onHeader(0, VERSION, LENGTH, 0, crcOfTerm()));
  }

  /** Checksum of the bytes that {@link #segment} brings when it brings all from offset 0. */
  private int crcOfTerm() {
    return Payload.crc32c(MemorySegment.ofBuffer(term.byteBuffer()).asSlice(0, LENGTH));
  }

  private Pull.Outcome segmentOfTerm(int offset, int length) {
    return pull.onSegment(0, VERSION, offset, term, offset, length);
  }

  @Test
  void shouldTakeSegmentsThatContinueTheChunk() {
    fillTerm();
    open();
    assertEquals(Pull.Outcome.WRITTEN, segmentOfTerm(0, 600));
    assertEquals(Pull.Outcome.CHUNK_ENDED, segmentOfTerm(600, 400));
    assertTrue(pull.isEnded());
    assertNull(outcome.outcome(0).failure());
    assertEquals(crcOfTerm(), outcome.outcome(0).crc32c());
  }

  @Test
  void shouldFailAChunkWhoseChecksumIsNotTheHolders() {
    fillTerm();
    open();
    segmentOfTerm(0, 600);
    term.putByte(700, (byte) ~term.getByte(700));
    assertEquals(Pull.Outcome.CHUNK_CORRUPT, segmentOfTerm(600, 400));
    assertTrue(pull.isEnded());
    assertEquals(PullFailure.CORRUPT, outcome.outcome(0).failure());
    assertEquals(VERSION, outcome.outcome(0).version());
    assertEquals(0, outcome.outcome(0).bytesReached());
  }

  @Test
  void shouldWriteNothingIntoAChunkThatWasCorruptOrRefused() {
    fillTerm();
    TestPull two =
        TestPull.of(
            new PullChunk(Payload.key(1), 1, guarded.asSlice(0, LENGTH), LENGTH, 0, 0),
            new PullChunk(Payload.key(2), 1, guarded.asSlice(LENGTH, LENGTH), LENGTH, 0, 0),
            new PullChunk(Payload.key(3), 1, guarded.asSlice(2 * LENGTH, LENGTH), LENGTH, 0, 0));
    Pull batch = new Pull(two.request(3, "127.0.0.1:1", Duration.ofSeconds(9)), 1 << 20, 0);
    assertTrue(batch.onHeader(0, VERSION, LENGTH, 0, crcOfTerm() + 1));
    assertEquals(Pull.Outcome.CHUNK_CORRUPT, batch.onSegment(0, VERSION, 0, term, 0, LENGTH));
    assertTrue(batch.onRefused(1, PullFailure.MISSING, 0));
    guarded.fill((byte) 0);

    assertEquals(Pull.Outcome.BREACH, batch.onSegment(0, VERSION, 0, term, 0, LENGTH));
    assertEquals(Pull.Outcome.BREACH, batch.onSegment(1, 0, 0, term, 0, LENGTH));

    assertEquals(-1, guarded.mismatch(arena.allocate(guarded.byteSize())));
    assertFalse(batch.isEnded());
  }

  @Test
  void shouldCountTheBytesInPlaceWhenAChunkGoesOnElsewhere() {
    fillTerm();
    MemorySegment slot = guarded.asSlice(LENGTH, LENGTH);
    for (int wrongByte : new int[] {-1, 0, 599}) {
      slot.copyFrom(MemorySegment.ofBuffer(term.byteBuffer()).asSlice(0, 600));
      if (wrongByte >= 0) {
        slot.set(ValueLayout.JAVA_BYTE, wrongByte, (byte) ~term.getByte(wrongByte));
      }
      TestPull rest = TestPull.of(new PullChunk(Payload.key(1), 1, slot, LENGTH, VERSION, 600));
      Pull resumed = new Pull(rest.request(2, "127.0.0.1:1", Duration.ofSeconds(9)), 1 << 20, 0);
      assertTrue(resumed.onHeader(0, VERSION, LENGTH, 600, crcOfTerm()));
      resumed.onSegment(0, VERSION, 600, term, 600, 400);
      assertEquals(wrongByte < 0 ? null : PullFailure.CORRUPT, rest.outcome(0).failure());
    }
  }

  @Test
  void shouldRefuseAHeaderBeforeTheChunkBeforeItIsComplete() {
    PullChunk first = new PullChunk(Payload.key(1), 1, guarded.asSlice(0, LENGTH), LENGTH, 0, 0);
    PullChunk second =
        new PullChunk(Payload.key(2), 1, guarded.asSlice(LENGTH, LENGTH), LENGTH, 0, 0);
    TestPull two = TestPull.of(first, second);
    Pull both = new Pull(two.request(2, "127.0.0.1:1", Duration.ofSeconds(9)), 1 << 20, 0);
    assertTrue(both.onHeader(1, VERSION, LENGTH, 0, crcOfTerm()));
    assertFalse(both.onHeader(0, VERSION, LENGTH, 0, crcOfTerm()));
    assertEquals(Pull.Outcome.CHUNK_ENDED, both.onSegment(1, VERSION, 0, term, 0, LENGTH));
    assertTrue(both.onHeader(0, VERSION, LENGTH, 0, crcOfTerm()));
  }

  private void fillTerm() {
    new Random(1).nextBytes(bytes);
    term.putBytes(0, bytes);
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
