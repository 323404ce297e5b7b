package io.kvasir.connectors.protocol;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.EnumSet;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Every vector is met by its encoder, and read back field by field. */
final class VectorsTest {
  private static final long HANDOFF = 0x1122334455667788L;

  private final Map<String, byte[]> vectors = Vectors.load();
  private final Set<String> checked = new LinkedHashSet<>();

  @Test
  void shouldCoverEveryMessageTypeWhenLoaded() {
    final Set<MessageType> covered = EnumSet.noneOf(MessageType.class);
    vectors.values().forEach(bytes -> covered.add(Vectors.frame(bytes).type()));
    assertEquals(EnumSet.allOf(MessageType.class), covered);
  }

  @Test
  void shouldMeetEveryVectorWhenEncodedAndDecoded() {
    checkJson();
    checkPrefixes();
    checkAcquisition();
    checkReservation();
    checkCommit();
    checkHandoff();
    checkSlices();
    checkEmpty();
    checkErrors();
    assertEquals(vectors.keySet(), checked);
  }

  private void checkJson() {
    json("hello", MessageType.HELLO, 1, "\"role\":\"scheduler\"");
    json("hello-ok", MessageType.HELLO_OK, 1, "\"session\":17");
    json("register", MessageType.REGISTER, 2, "llama-süß");
    json("registered", MessageType.REGISTERED, 2, "\"space\":3");
    json("stats-ok", MessageType.STATS_OK, 13, "{\"chunks\":2}");
    json("node-state", MessageType.NODE_STATE, 0, "draining");
  }

  private void json(String name, MessageType type, int correlationId, String part) {
    final Frame frame = Vectors.frame(bytes(name));
    final String text = JsonBody.text(frame);
    assertTrue(text.contains(part), text);
    assertHeader(frame, type, 0, correlationId);
    encodes(name, w -> JsonBody.encode(w, type, correlationId, text.getBytes(UTF_8)));
  }

  private void checkPrefixes() {
    encodes(
        "lookup",
        w -> LookupBody.encode(w, 3, false, 0, 3, 0, 0, Vectors.hash(0), Vectors.hashes(0), 1));
    LookupBody lookup = new LookupBody().wrap(frame("lookup", MessageType.LOOKUP, 0, 3));
    assertEquals(0, lookup.prefillTokensPerSecond());
    assertPrefix(lookup.prefix(), 3, 0, 0, 0, 0);
    encodes(
        "lookup-prefill-rate",
        w ->
            LookupBody.encode(
                w, 23, false, 12_000, 3, 0, 4, Vectors.hash(4), Vectors.hashes(4, 36), 2));
    lookup = lookup.wrap(frame("lookup-prefill-rate", MessageType.LOOKUP, 0, 23));
    assertEquals(12_000, lookup.prefillTokensPerSecond());
    assertPrefix(lookup.prefix(), 3, 0, 4, 4, 4, 36);

    encodes(
        "lookup-local-only",
        w ->
            LookupBody.encode(
                w, 4, true, 0, 3, 7, 5, Vectors.hash(16), Vectors.hashes(32, 64, 240), 3));
    lookup =
        lookup.wrap(frame("lookup-local-only", MessageType.LOOKUP, Protocol.FLAG_LOCAL_ONLY, 4));
    assertPrefix(lookup.prefix(), 3, 7, 5, 16, 32, 64, 240);

    encodes(
        "found",
        w -> FoundBody.encode(w, 4, false, 3, 1, 786_432, 524_288, 850, 3, LoadAdvice.ALL));
    FoundBody found = new FoundBody().wrap(frame("found", MessageType.FOUND, 0, 4));
    assertEquals(3, found.found());
    assertEquals(1, found.local());
    assertEquals(786_432, found.foundBytes());
    assertEquals(524_288, found.peerBytes());
    assertEquals(850, found.estimateUs());
    assertEquals(3, found.worth());
    assertEquals(LoadAdvice.ALL, found.advice());
    assertFalse(found.isPartial());

    encodes(
        "found-partial",
        w -> FoundBody.encode(w, 4, true, 1, 1, 262_144, 0, 0, 1, LoadAdvice.UNKNOWN));
    found = found.wrap(frame("found-partial", MessageType.FOUND, Protocol.FLAG_PARTIAL, 4));
    assertEquals(1, found.found());
    assertTrue(found.isPartial());
    assertEquals(LoadAdvice.UNKNOWN, found.advice());

    encodes(
        "found-not-worth",
        w ->
            FoundBody.encode(
                w, 23, false, 3, 1, 786_432, 524_288, 90_000, 1, LoadAdvice.BANDWIDTH));
    found = found.wrap(frame("found-not-worth", MessageType.FOUND, 0, 23));
    assertEquals(3, found.found());
    assertEquals(1, found.worth());
    assertEquals(LoadAdvice.BANDWIDTH, found.advice());

    encodes(
        "reserve",
        w ->
            PrefixBody.encodeReserve(
                w, 9, 3, 0, 36, Vectors.hash(100), Vectors.hashes(101, 102), 2));
    final PrefixBody prefix = new PrefixBody().wrap(frame("reserve", MessageType.RESERVE, 0, 9));
    assertPrefix(prefix, 3, 0, 36, 100, 101, 102);
  }

  private void checkAcquisition() {
    encodes(
        "acquire",
        w -> AcquireBody.encode(w, -1, 250, 3, 0, 0, Vectors.hash(0), Vectors.hashes(0), 1));
    AcquireBody acquire = new AcquireBody().wrap(frame("acquire", MessageType.ACQUIRE, 0, -1));
    assertEquals(250, acquire.deadlineMs());
    assertPrefix(acquire.prefix(), 3, 0, 0, 0, 0);
    encodes(
        "acquire-two",
        w -> AcquireBody.encode(w, 6, 600_000, 3, 7, 4, Vectors.hash(4), Vectors.hashes(4, 36), 2));
    acquire = acquire.wrap(frame("acquire-two", MessageType.ACQUIRE, 0, 6));
    assertEquals(600_000, acquire.deadlineMs());
    assertPrefix(acquire.prefix(), 3, 7, 4, 4, 4, 36);

    encodes("acquired", w -> AcquiredBody.encode(w, 6, 0x8899aabbccddeeffL, 2));
    final AcquiredBody acquired =
        new AcquiredBody().wrap(frame("acquired", MessageType.ACQUIRED, 0, 6));
    assertEquals(0x8899aabbccddeeffL, acquired.acquireId());
    assertEquals(2, acquired.chunks());

    checkReady();

    encodes("acquire-end", w -> AcquireEndBody.encode(w, 9, 3, EndReason.COMPLETE));
    AcquireEndBody end =
        new AcquireEndBody().wrap(frame("acquire-end", MessageType.ACQUIRE_END, 0, 0));
    assertEquals(9, end.acquireId());
    assertEquals(3, end.readyChunks());
    assertEquals(EndReason.COMPLETE, end.reason());
    encodes("acquire-end-failed", w -> AcquireEndBody.encode(w, 10, 0, EndReason.FAILED));
    end = end.wrap(frame("acquire-end-failed", MessageType.ACQUIRE_END, 0, 0));
    assertEquals(EndReason.FAILED, end.reason());

    encodes("release", w -> ReleaseBody.encode(w, 7, 9));
    assertEquals(
        9, new ReleaseBody().wrap(frame("release", MessageType.RELEASE, 0, 7)).acquireId());
    encodes("released", w -> ReleasedBody.encode(w, 7, 9, ReleaseStatus.OK));
    ReleasedBody released = new ReleasedBody().wrap(frame("released", MessageType.RELEASED, 0, 7));
    assertEquals(9, released.acquireId());
    assertEquals(ReleaseStatus.OK, released.status());
    encodes("released-unknown", w -> ReleasedBody.encode(w, 8, 11, ReleaseStatus.UNKNOWN));
    released = released.wrap(frame("released-unknown", MessageType.RELEASED, 0, 8));
    assertEquals(ReleaseStatus.UNKNOWN, released.status());
  }

  private void checkReady() {
    encodes(
        "ready",
        w -> {
          ReadyBody.begin(w, 0x8899aabbccddeeffL, 0, 1);
          ReadyBody.add(w, 12, 0, 4096, 262_144, ChunkSource.LOCAL, 0x0102030405060708L);
          ReadyBody.end(w);
        });
    ReadyBody ready = new ReadyBody().wrap(frame("ready", MessageType.READY, 0, 0));
    assertEquals(0x8899aabbccddeeffL, ready.acquireId());
    assertEquals(0, ready.firstIndex());
    assertEquals(1, ready.count());
    assertReady(ready, 0, 12, 0, 4096, 262_144, ChunkSource.LOCAL, 0x0102030405060708L);
    encodes(
        "ready-two",
        w -> {
          ReadyBody.begin(w, 9, 1, 2);
          ReadyBody.add(w, 13, 1, 1_073_479_680, 262_144, ChunkSource.PEER, 0xfffefdfcfbfaf9f8L);
          ReadyBody.add(w, Integer.MAX_VALUE, 2, 8_589_934_592L, 1, ChunkSource.LOCAL, 1);
          ReadyBody.end(w);
        });
    ready = ready.wrap(frame("ready-two", MessageType.READY, 0, 0));
    assertEquals(9, ready.acquireId());
    assertEquals(1, ready.firstIndex());
    assertEquals(2, ready.count());
    assertReady(ready, 0, 13, 1, 1_073_479_680, 262_144, ChunkSource.PEER, 0xfffefdfcfbfaf9f8L);
    assertReady(ready, 1, Integer.MAX_VALUE, 2, 8_589_934_592L, 1, ChunkSource.LOCAL, 1);
  }

  private void checkReservation() {
    encodes(
        "reserved",
        w -> {
          ReservedBody.begin(w, 9, 5);
          ReservedBody.addReserved(w, 5, 1, 262_144);
          ReservedBody.addRefused(w, ReserveStatus.ALREADY);
          ReservedBody.addRefused(w, ReserveStatus.BUSY);
          ReservedBody.addRefused(w, ReserveStatus.NO_SPACE);
          ReservedBody.addRefused(w, ReserveStatus.OVER_SHARE);
          ReservedBody.end(w);
        });
    final ReservedBody reserved =
        new ReservedBody().wrap(frame("reserved", MessageType.RESERVED, 0, 9));
    assertEquals(5, reserved.count());
    for (int i = 0; i < 5; i++) {
      assertEquals(i, reserved.status(i).code());
    }
    assertEquals(5, reserved.slot(0));
    assertEquals(1, reserved.segment(0));
    assertEquals(262_144, reserved.segmentOffset(0));
    assertEquals(0, reserved.slot(4));
  }

  private void checkCommit() {
    encodes("commit", w -> SlotsBody.encodeCommit(w, 10, false, 3, 0, new int[] {5}));
    SlotsBody slots = new SlotsBody().wrap(frame("commit", MessageType.COMMIT, 0, 10));
    assertSlots(slots, 3, 0, 5);
    encodes(
        "commit-await-index",
        w -> SlotsBody.encodeCommit(w, 11, true, 3, 7, new int[] {5, 6, Integer.MAX_VALUE}));
    slots =
        slots.wrap(frame("commit-await-index", MessageType.COMMIT, Protocol.FLAG_AWAIT_INDEX, 11));
    assertSlots(slots, 3, 7, 5, 6, Integer.MAX_VALUE);
    encodes("abort", w -> SlotsBody.encodeAbort(w, 12, 3, 0, new int[] {5, 6}));
    assertSlots(slots.wrap(frame("abort", MessageType.ABORT, 0, 12)), 3, 0, 5, 6);

    encodes(
        "committed",
        w -> {
          CommittedBody.begin(w, 11, 3);
          CommittedBody.add(w, 5, CommitStatus.COMMITTED, 0xa1a2a3a4a5a6a7a8L);
          CommittedBody.add(w, 6, CommitStatus.NOT_RESERVED, 0);
          CommittedBody.add(w, Integer.MAX_VALUE, CommitStatus.FAILED, 0);
          CommittedBody.end(w);
        });
    final CommittedBody committed =
        new CommittedBody().wrap(frame("committed", MessageType.COMMITTED, 0, 11));
    assertEquals(3, committed.count());
    assertEquals(5, committed.slot(0));
    assertEquals(CommitStatus.COMMITTED, committed.status(0));
    assertEquals(0xa1a2a3a4a5a6a7a8L, committed.version(0));
    assertEquals(CommitStatus.NOT_RESERVED, committed.status(1));
    assertEquals(CommitStatus.FAILED, committed.status(2));

    encodes(
        "aborted",
        w -> {
          AbortedBody.begin(w, 12, 2);
          AbortedBody.add(w, 5, AbortStatus.OK);
          AbortedBody.add(w, 6, AbortStatus.NOT_RESERVED);
          AbortedBody.end(w);
        });
    final AbortedBody aborted =
        new AbortedBody().wrap(frame("aborted", MessageType.ABORTED, 0, 12));
    assertEquals(2, aborted.count());
    assertEquals(5, aborted.slot(0));
    assertEquals(AbortStatus.OK, aborted.status(0));
    assertEquals(6, aborted.slot(1));
    assertEquals(AbortStatus.NOT_RESERVED, aborted.status(1));
  }

  private void checkHandoff() {
    encodes(
        "await",
        w ->
            AwaitBody.encode(
                w, 17, HANDOFF, 2_500, 3, 0, 0, Vectors.hash(0), Vectors.hashes(0, 32), 2));
    final AwaitBody await = new AwaitBody().wrap(frame("await", MessageType.AWAIT, 0, 17));
    assertEquals(HANDOFF, await.handoffId());
    assertEquals(2_500, await.deadlineMs());
    assertPrefix(await.prefix(), 3, 0, 0, 0, 0, 32);
    encodes("awaited", w -> AcquiredBody.encodeAwaited(w, 17, 12, 2));
    final AcquiredBody awaited =
        new AcquiredBody().wrap(frame("awaited", MessageType.AWAITED, 0, 17));
    assertEquals(12, awaited.acquireId());
    assertEquals(2, awaited.chunks());
    encodes("acquire-end-cancelled", w -> AcquireEndBody.encode(w, 12, 1, EndReason.CANCELLED));
    assertEquals(
        EndReason.CANCELLED,
        new AcquireEndBody()
            .wrap(frame("acquire-end-cancelled", MessageType.ACQUIRE_END, 0, 0))
            .reason());

    encodes(
        "create-handoff",
        w ->
            CreateHandoffBody.encode(
                w,
                18,
                HANDOFF,
                600_000,
                65_536,
                new long[] {0xa1, -1},
                3,
                7,
                4,
                Vectors.hash(4),
                Vectors.hashes(4),
                1));
    final CreateHandoffBody create =
        new CreateHandoffBody().wrap(frame("create-handoff", MessageType.CREATE_HANDOFF, 0, 18));
    assertEquals(HANDOFF, create.handoffId());
    assertEquals(600_000, create.deadlineMs());
    assertEquals(65_536, create.sliceBytes());
    assertEquals(2, create.receivers());
    assertEquals(0xa1, create.receiver(0));
    assertEquals(-1, create.receiver(1));
    assertPrefix(create.prefix(), 3, 7, 4, 4, 4);
    encodes("handoff-created", w -> HandoffCreatedBody.encode(w, 18, HANDOFF, 1));
    final HandoffCreatedBody created =
        new HandoffCreatedBody().wrap(frame("handoff-created", MessageType.HANDOFF_CREATED, 0, 18));
    assertEquals(HANDOFF, created.handoffId());
    assertEquals(1, created.receivers());
  }

  private void checkSlices() {
    encodes(
        "commit-slice",
        w ->
            CommitSliceBody.encode(
                w, 19, HANDOFF, new int[] {5, Integer.MAX_VALUE}, new int[] {0, 3}));
    final CommitSliceBody commit =
        new CommitSliceBody().wrap(frame("commit-slice", MessageType.COMMIT_SLICE, 0, 19));
    assertEquals(HANDOFF, commit.handoffId());
    assertEquals(2, commit.count());
    assertEquals(5, commit.slot(0));
    assertEquals(0, commit.slice(0));
    assertEquals(Integer.MAX_VALUE, commit.slot(1));
    assertEquals(3, commit.slice(1));

    encodes(
        "slice-committed",
        w -> {
          SliceCommittedBody.begin(w, 19, HANDOFF, 5, 1);
          SliceCommittedBody.add(w, 5, SliceStatus.COMMITTED, 0);
          SliceCommittedBody.add(w, 6, SliceStatus.COMMITTED, 0xa1a2a3a4a5a6a7a8L);
          SliceCommittedBody.add(w, 7, SliceStatus.NOT_RESERVED, 0);
          SliceCommittedBody.add(w, Integer.MAX_VALUE, SliceStatus.FAILED, 0);
          SliceCommittedBody.add(w, 8, SliceStatus.GONE, 0);
          SliceCommittedBody.end(w);
        });
    final SliceCommittedBody committed =
        new SliceCommittedBody().wrap(frame("slice-committed", MessageType.SLICE_COMMITTED, 0, 19));
    assertEquals(HANDOFF, committed.handoffId());
    assertEquals(5, committed.count());
    assertEquals(1, committed.receivers());
    assertEquals(6, committed.slot(1));
    assertEquals(0, committed.version(0));
    assertEquals(0xa1a2a3a4a5a6a7a8L, committed.version(1));
    assertEquals(SliceStatus.COMMITTED, committed.status(1));
    assertEquals(SliceStatus.NOT_RESERVED, committed.status(2));
    assertEquals(SliceStatus.FAILED, committed.status(3));
    assertEquals(SliceStatus.GONE, committed.status(4));

    encodes("end-handoff", w -> EndHandoffBody.encode(w, 20, false, HANDOFF));
    EndHandoffBody end =
        new EndHandoffBody().wrap(frame("end-handoff", MessageType.END_HANDOFF, 0, 20));
    assertEquals(HANDOFF, end.handoffId());
    encodes("end-handoff-cancel", w -> EndHandoffBody.encode(w, 21, true, 9));
    end = end.wrap(frame("end-handoff-cancel", MessageType.END_HANDOFF, Protocol.FLAG_CANCEL, 21));
    assertEquals(9, end.handoffId());
    encodes("handoff-ended", w -> HandoffEndedBody.encode(w, 20, HANDOFF, true));
    HandoffEndedBody ended =
        new HandoffEndedBody().wrap(frame("handoff-ended", MessageType.HANDOFF_ENDED, 0, 20));
    assertEquals(HANDOFF, ended.handoffId());
    assertTrue(ended.isKnown());
    encodes("handoff-ended-unknown", w -> HandoffEndedBody.encode(w, 21, 9, false));
    ended = ended.wrap(frame("handoff-ended-unknown", MessageType.HANDOFF_ENDED, 0, 21));
    assertFalse(ended.isKnown());
  }

  private void checkEmpty() {
    empty("stats", MessageType.STATS, 13);
    empty("ping", MessageType.PING, 14);
    empty("pong", MessageType.PONG, 14);
    empty("goodbye", MessageType.GOODBYE, 15);
    empty("goodbye-ok", MessageType.GOODBYE_OK, 15);
  }

  private void empty(String name, MessageType type, int correlationId) {
    encodes(name, w -> EmptyBody.encode(w, type, correlationId));
    assertEquals(0, frame(name, type, 0, correlationId).bodyLength());
  }

  private void checkErrors() {
    encodes(
        "error-stale-epoch",
        w -> ErrorBody.encode(w, 16, ErrorCode.STALE_EPOCH, "epoch=6 (current=7)"));
    encodes(
        "error-handoff-in-use",
        w -> ErrorBody.encode(w, 22, ErrorCode.HANDOFF_IN_USE, "handoffId=9"));
    assertEquals(
        15, new ErrorBody().wrap(frame("error-handoff-in-use", MessageType.ERROR, 0, 22)).code());
    ErrorBody error = new ErrorBody().wrap(frame("error-stale-epoch", MessageType.ERROR, 0, 16));
    assertEquals(ErrorCode.STALE_EPOCH, ErrorCode.of(error.code()));
    assertTrue(error.definite());
    assertFalse(error.retry());
    assertEquals("epoch=6 (current=7)", error.detail());
    encodes("error-internal", w -> ErrorBody.encode(w, 0, ErrorCode.INTERNAL, "größer"));
    error = error.wrap(frame("error-internal", MessageType.ERROR, 0, 0));
    assertEquals(ErrorCode.INTERNAL, ErrorCode.of(error.code()));
    assertFalse(error.definite());
    assertTrue(error.retry());
    assertEquals("größer", error.detail());
  }

  private byte[] bytes(String name) {
    return Objects.requireNonNull(vectors.get(name), name);
  }

  private Frame frame(String name, MessageType type, int flags, int correlationId) {
    final Frame frame = Vectors.frame(bytes(name));
    assertHeader(frame, type, flags, correlationId);
    return frame;
  }

  private void encodes(String name, Consumer<FrameWriter> encoder) {
    final HexFormat hex = HexFormat.of();
    assertEquals(hex.formatHex(bytes(name)), hex.formatHex(Vectors.encoded(encoder)), name);
    checked.add(name);
  }

  private static void assertHeader(Frame frame, MessageType type, int flags, int correlationId) {
    assertEquals(type, frame.type());
    assertEquals(flags, frame.flags());
    assertEquals(correlationId, frame.correlationId());
  }

  private static void assertPrefix(
      PrefixBody prefix, int space, int epoch, int firstPosition, int anchor, int... hashes) {
    assertEquals(space, prefix.space());
    assertEquals(epoch, prefix.epoch());
    assertEquals(firstPosition, prefix.firstPosition());
    assertEquals(hashes.length, prefix.count());
    final byte[] copy = new byte[Protocol.HASH_BYTES];
    prefix.copyAnchor(copy, 0);
    assertArrayEquals(Vectors.hash(anchor), copy);
    for (int i = 0; i < hashes.length; i++) {
      System.arraycopy(prefix.array(), prefix.hashOffset(i), copy, 0, copy.length);
      assertArrayEquals(Vectors.hash(hashes[i]), copy);
    }
  }

  private static void assertReady(
      ReadyBody ready,
      int i,
      int slot,
      int segment,
      long segmentOffset,
      int lengthBytes,
      ChunkSource source,
      long version) {
    assertEquals(slot, ready.slot(i));
    assertEquals(segment, ready.segment(i));
    assertEquals(segmentOffset, ready.segmentOffset(i));
    assertEquals(lengthBytes, ready.lengthBytes(i));
    assertEquals(source, ready.source(i));
    assertEquals(version, ready.version(i));
  }

  private static void assertSlots(SlotsBody body, int space, int epoch, int... slots) {
    assertEquals(space, body.space());
    assertEquals(epoch, body.epoch());
    assertEquals(slots.length, body.count());
    for (int i = 0; i < slots.length; i++) {
      assertEquals(slots[i], body.slot(i));
    }
  }
}
