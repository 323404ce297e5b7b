package io.kvasir.connectors.protocol;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class FrameReaderTest {
  private static final int INITIAL_BYTES = 32 * 1024;

  @Test
  void shouldGiveTheSameFramesWhenBytesComeOneByOne() throws IOException {
    for (final Map.Entry<String, byte[]> vector : Vectors.load().entrySet()) {
      final byte[] bytes = vector.getValue();
      final FrameReader reader = new FrameReader(Vectors.sender(bytes));
      for (int i = 0; i < bytes.length; i++) {
        assertNull(reader.next(), vector.getKey());
        assertEquals(1, reader.readFrom(channel(bytes[i])));
      }
      final Frame frame = reader.next();
      assertNotNull(frame, vector.getKey());
      assertEquals(bytes.length, Protocol.HEADER_BYTES + frame.bodyLength());
      assertNull(reader.next());
    }
  }

  @Test
  void shouldGiveAllFramesWhenManyComeAtOnce() throws IOException {
    final int count = 10_000;
    final ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (int i = 1; i <= count; i++) {
      final long acquireId = i;
      final int correlationId = i;
      out.writeBytes(Vectors.encoded(w -> ReleaseBody.encode(w, correlationId, acquireId)));
    }
    final FrameReader reader = new FrameReader(Side.ENGINE);
    final ReadableByteChannel channel = channel(out.toByteArray());
    final ReleaseBody release = new ReleaseBody();
    int seen = 0;
    while (reader.readFrom(channel) >= 0) {
      for (Frame f = reader.next(); f != null; f = reader.next()) {
        seen++;
        assertEquals(seen, f.correlationId());
        assertEquals(seen, release.wrap(f).acquireId());
      }
    }
    assertEquals(count, seen);
    assertEquals(INITIAL_BYTES, reader.capacityBytes());
  }

  @Test
  void shouldCarryTheLargestRunWhenFramesAreLong() throws IOException {
    final byte[] hashes = new byte[Protocol.ENTRIES_MAX * Protocol.HASH_BYTES];
    Arrays.fill(hashes, (byte) 7);
    final byte[] bytes =
        Vectors.encoded(
            w ->
                LookupBody.encode(
                    w, 1, false, 0, 1, 0, 0, Vectors.hash(7), hashes, Protocol.ENTRIES_MAX));
    final FrameReader reader = Vectors.reader(bytes, Side.ENGINE);
    final Frame frame = reader.next();
    assertNotNull(frame);
    final PrefixBody prefix = new LookupBody().wrap(frame).prefix();
    assertEquals(Protocol.ENTRIES_MAX, prefix.count());
    final ByteBuffer copy = ByteBuffer.allocate(hashes.length);
    prefix.copyHashes(copy);
    assertArrayEquals(hashes, copy.array());
    assertEquals(-1, reader.readFrom(channel()));
    assertEquals(INITIAL_BYTES, reader.capacityBytes(), "memory goes back after a long frame");
  }

  @Test
  void shouldHoldLittleMemoryWhenTheLengthFieldPromisesMuch() throws IOException {
    final byte[] header = header(Protocol.LENGTH_MAX, 1, MessageType.STATS_OK.code(), 0, 1);
    final FrameReader reader = new FrameReader(Side.NODE);
    reader.readFrom(channel(header));
    assertNull(reader.next());
    final ReadableByteChannel body = channel(new byte[3 * INITIAL_BYTES]);
    while (reader.readFrom(body) > 0) {
      assertNull(reader.next());
      assertTrue(reader.capacityBytes() <= 2 * Math.max(INITIAL_BYTES, reader.bufferedBytes()));
    }
  }

  @Test
  void shouldRefuseTheHeaderBeforeTheBodyHasCome() {
    assertRefused(ErrorCode.MALFORMED, 0, header(7, 1, 0x70, 0, 1));
    assertRefused(ErrorCode.MALFORMED, 0, header(0, 1, 0x70, 0, 1));
    assertRefused(ErrorCode.FRAME_TOO_LARGE, 0, header(Protocol.LENGTH_MAX + 1, 1, 0xB0, 0, 1));
    assertRefused(ErrorCode.FRAME_TOO_LARGE, 0, header(-1, 1, 0x70, 0, 1));
    assertRefused(ErrorCode.VERSION_MISMATCH, 5, header(8, 2, 0x70, 0, 5));
    assertRefused(ErrorCode.UNKNOWN_TYPE, 5, header(8, 1, 0x00, 0, 5));
    assertRefused(ErrorCode.UNKNOWN_TYPE, 5, header(8, 1, 0x7F, 0, 5));
    assertRefused(ErrorCode.UNKNOWN_TYPE, 5, header(24, 1, MessageType.READY.code(), 0, 5));
    assertRefused(ErrorCode.MALFORMED, 5, header(8, 1, 0x70, 1, 5));
    assertRefused(ErrorCode.MALFORMED, 5, header(96, 1, MessageType.LOOKUP.code(), 2, 5));
    assertRefused(ErrorCode.MALFORMED, 0, header(8, 1, 0x70, 0, 0));
    assertRefused(ErrorCode.MALFORMED, 5, header(9, 1, 0x70, 0, 5));
    assertRefused(ErrorCode.MALFORMED, 5, header(8 + 8 + 48, 1, MessageType.LOOKUP.code(), 0, 5));
    assertRefused(
        ErrorCode.FRAME_TOO_LARGE, 5, header(8 + 64 * 1024 + 1, 1, MessageType.HELLO.code(), 0, 5));
    assertRefused(
        ErrorCode.FRAME_TOO_LARGE,
        5,
        header(
            8 + LookupBody.lengthOf(Protocol.ENTRIES_MAX) + 1, 1, MessageType.LOOKUP.code(), 0, 5));
  }

  @Test
  void shouldKeepTheRestWhenTheChannelTakesLittle() throws IOException {
    final FrameWriter writer = new FrameWriter(64 * 1024 * 1024);
    final byte[] json = new byte[100_000];
    Arrays.fill(json, (byte) ' ');
    JsonBody.encode(writer, MessageType.STATS_OK, 1, json);
    EmptyBody.encode(writer, MessageType.PONG, 2);
    final Trickle channel = new Trickle(777);
    int rounds = 0;
    while (!writer.flushTo(channel)) {
      rounds++;
      if (rounds == 5) {
        EmptyBody.encode(writer, MessageType.PONG, 3);
      }
    }
    assertEquals(0, writer.pendingBytes());
    final FrameReader reader = new FrameReader(Side.NODE);
    final ReadableByteChannel in = channel(channel.taken.toByteArray());
    int frames = 0;
    while (reader.readFrom(in) >= 0) {
      for (Frame f = reader.next(); f != null; f = reader.next()) {
        frames++;
        assertEquals(frames, f.correlationId());
      }
    }
    assertEquals(3, frames);
  }

  @Test
  void shouldRefuseToQueueWhenTheOtherSideDoesNotRead() {
    final int limit = Protocol.LENGTH_MAX + Integer.BYTES;
    final FrameWriter writer = new FrameWriter(limit);
    final byte[] json = new byte[Protocol.BODY_BYTES_MAX];
    assertTrue(writer.hasRoomFor(json.length));
    JsonBody.encode(writer, MessageType.STATS_OK, 1, json);
    assertEquals(limit, writer.pendingBytes());
    assertThrows(IllegalStateException.class, () -> EmptyBody.encode(writer, MessageType.PONG, 2));
    assertEquals(limit, writer.pendingBytes());
  }

  @Test
  void shouldInsistOnAllEntriesWhenAListEnds() {
    final FrameWriter writer = new FrameWriter(64 * 1024 * 1024);
    CommittedBody.begin(writer, 1, 2);
    CommittedBody.add(writer, 1, CommitStatus.COMMITTED, 1);
    assertThrows(IllegalStateException.class, () -> CommittedBody.end(writer));
    CommittedBody.add(writer, 2, CommitStatus.COMMITTED, 1);
    assertThrows(
        IllegalStateException.class, () -> CommittedBody.add(writer, 3, CommitStatus.COMMITTED, 1));
    CommittedBody.end(writer);
    assertTrue(writer.pendingBytes() > 0);
  }

  private static void assertRefused(ErrorCode code, int correlationId, byte[] header) {
    final FrameReader reader = Vectors.reader(header, Side.ENGINE);
    final MalformedFrameException e = assertThrows(MalformedFrameException.class, reader::next);
    assertEquals(code, e.errorCode(), e.getMessage());
    assertEquals(correlationId, e.correlationId(), e.getMessage());
  }

  private static byte[] header(int length, int version, int type, int flags, int correlationId) {
    return ByteBuffer.allocate(Protocol.HEADER_BYTES)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(length)
        .put((byte) version)
        .put((byte) type)
        .putShort((short) flags)
        .putInt(correlationId)
        .array();
  }

  private static ReadableByteChannel channel(byte... bytes) {
    return Channels.newChannel(new ByteArrayInputStream(bytes));
  }

  /** A channel that takes a few bytes at a time, as a full socket does. */
  private static final class Trickle implements WritableByteChannel {
    private final ByteArrayOutputStream taken = new ByteArrayOutputStream();
    private final int bytesMax;

    Trickle(int bytesMax) {
      this.bytesMax = bytesMax;
    }

    @Override
    public int write(ByteBuffer source) {
      final byte[] bytes = new byte[Math.min(bytesMax, source.remaining())];
      source.get(bytes);
      taken.writeBytes(bytes);
      return bytes.length;
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public void close() {}
  }
}
