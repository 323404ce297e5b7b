package io.kvasir.benchmarks.reference;

import io.aeron.ExclusivePublication;
import io.aeron.Publication;
import io.aeron.logbuffer.BufferClaim;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import org.agrona.MutableDirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Copies from the slab into claimed term buffers: one user-space copy.
 *
 * <p>A fragment is {@code u32 chunk | u32 crc32c of the chunk | u32 offset | u32 chunkBytes |
 * payload}, little-endian.
 */
final class AeronSender implements SenderMain.Sender {
  static final int HEADER_BYTES = 16;

  /** As long as the last fragments may still wait for the receiver's window. */
  private static final long SETTLE_NS = 20_000_000;

  private static final long PAUSE_NS = 100_000;

  /** Often enough for a living stream, and seldom enough not to disturb who is measured now. */
  static final long KEEP_ALIVE_NS = 5_000_000;

  private final AeronHost host;
  private final ExclusivePublication publication;
  private final BufferClaim claim = new BufferClaim();
  private final UnsafeBuffer source = new UnsafeBuffer(0, 0);
  private long sentNs = System.nanoTime();

  AeronSender(AeronSettings settings, String endpoint, Path directory) {
    host = new AeronHost(settings, directory);
    publication =
        host.aeron.addExclusivePublication("aeron:udp?endpoint=" + endpoint, AeronHost.STREAM_ID);
    long deadlineNs = ChunkVerifier.deadlineNs();
    while (!publication.isConnected()) {
      host.invoke();
      ChunkVerifier.checkDeadline(deadlineNs, "connection to " + endpoint);
    }
  }

  @Override
  public void send(ByteBuffer slab, int chunkBytes, int[] crc32c) {
    source.wrap(slab);
    int payloadMax = publication.maxPayloadLength() - HEADER_BYTES;
    long deadlineNs = ChunkVerifier.deadlineNs();
    for (int chunk = 0; chunk < crc32c.length; chunk++) {
      for (int offset = 0; offset < chunkBytes; ) {
        int length = Math.min(payloadMax, chunkBytes - offset);
        long position = publication.tryClaim(HEADER_BYTES + length, claim);
        if (position > 0) {
          MutableDirectBuffer buffer = claim.buffer();
          int at = claim.offset();
          buffer.putInt(at, chunk, ByteOrder.LITTLE_ENDIAN);
          buffer.putInt(at + 4, crc32c[chunk], ByteOrder.LITTLE_ENDIAN);
          buffer.putInt(at + 8, offset, ByteOrder.LITTLE_ENDIAN);
          buffer.putInt(at + 12, chunkBytes, ByteOrder.LITTLE_ENDIAN);
          buffer.putBytes(at + HEADER_BYTES, source, chunk * chunkBytes + offset, length);
          claim.commit();
          offset += length;
        } else if (position == Publication.CLOSED
            || position == Publication.MAX_POSITION_EXCEEDED) {
          throw new IllegalStateException(
              "KVA-0655 raw Aeron publication ended - position=" + position);
        } else {
          ChunkVerifier.checkDeadline(deadlineNs, "window of the receiver");
        }
        host.invoke();
      }
    }
    sentNs = System.nanoTime();
  }

  @Override
  public long idle() {
    if (host.invoke() > 0) {
      return 0;
    }
    return System.nanoTime() - sentNs < SETTLE_NS ? PAUSE_NS : KEEP_ALIVE_NS;
  }

  @Override
  public void close() {
    publication.close();
    host.close();
  }
}
