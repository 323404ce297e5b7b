package io.kvasir.node.peer;

import io.kvasir.placement.ChunkKey;
import io.kvasir.placement.Fingerprint;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What nodes tell each other of a hand-off ({@code docs/spec/peer-protocol.md}); little-endian.
 *
 * <pre>
 *   OFFER   u32 kind 1, u32 epoch, fingerprint 32 bytes, u64 remaining ns, u32 chunk bytes, u32 slice bytes,
 *           u32 total chunks, u32 number of the first chunk here; for each chunk here: key 4 × u64, group u64
 *   LEFT    u32 kind 2: the teller waits for no more slices
 * </pre>
 */
sealed interface HandoffNote {
  /** The most chunks of one hand-off. */
  int CHUNKS_MAX = 4_096;

  /** The most slices of one hand-off. */
  int SLICES_MAX = 16_384;

  int OFFER = 1;
  int LEFT = 2;
  int HEADER_BYTES = 64;
  int ENTRY_BYTES = ChunkKey.BYTES + Long.BYTES;

  /** The teller waits for no more slices. */
  record Left() implements HandoffNote {}

  /**
   * A part of an offer.
   *
   * @param total chunks of the whole hand-off
   * @param first number of the first chunk of this part
   * @param keys of this part's chunks
   */
  record Offer(
      int epoch,
      Fingerprint fingerprint,
      long remainingNs,
      Slices slices,
      int total,
      int first,
      List<ChunkKey> keys,
      List<Long> groups)
      implements HandoffNote {}

  /** The body of a LEFT. */
  static byte[] left() {
    return ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(LEFT).array();
  }

  /** The bodies of an offer, each of at most this length. */
  static List<byte[]> offer(
      final ChunkRun run, final Slices slices, final long remainingNs, final int bytesMax) {
    final List<byte[]> parts = new ArrayList<>();
    final int perPart = (bytesMax - HEADER_BYTES) / ENTRY_BYTES;
    for (int first = 0; first < run.length(); first += perPart) {
      final int count = Math.min(perPart, run.length() - first);
      final byte[] part = new byte[HEADER_BYTES + count * ENTRY_BYTES];
      final ByteBuffer out = ByteBuffer.wrap(part).order(ByteOrder.LITTLE_ENDIAN);
      out.putInt(OFFER).putInt(run.space().epoch());
      run.space().fingerprint().toBytes(part, out.position());
      out.position(out.position() + Fingerprint.BYTES);
      out.putLong(remainingNs).putInt(slices.chunkBytes()).putInt(slices.sliceBytes());
      out.putInt(run.length()).putInt(first);
      for (int i = first; i < first + count; i++) {
        run.key(i).toBytes(part, out.position());
        out.position(out.position() + ChunkKey.BYTES);
        out.putLong(run.group(i));
      }
      parts.add(part);
    }
    return parts;
  }

  /** Reads a body; null if it cannot be true. */
  static @Nullable HandoffNote read(final byte[] body) {
    final ByteBuffer in = ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN);
    if (body.length < Integer.BYTES) {
      return null;
    }
    return switch (in.getInt()) {
      case LEFT -> body.length == Integer.BYTES ? new Left() : null;
      case OFFER -> body.length > HEADER_BYTES ? readOffer(body, in) : null;
      default -> null;
    };
  }

  private static @Nullable Offer readOffer(final byte[] body, final ByteBuffer in) {
    final int epoch = in.getInt();
    final Fingerprint fingerprint = Fingerprint.fromBytes(body, in.position());
    in.position(in.position() + Fingerprint.BYTES);
    final long remainingNs = in.getLong();
    final int chunkBytes = in.getInt();
    final int sliceBytes = in.getInt();
    final int total = in.getInt();
    final int first = in.getInt();
    final int count = in.remaining() / ENTRY_BYTES;
    if (epoch < 0
        || remainingNs <= 0
        || in.remaining() % ENTRY_BYTES != 0
        || first < 0
        || count > total - first
        || !isWithinLimits(total, chunkBytes, sliceBytes)) {
      return null;
    }
    final List<ChunkKey> keys = new ArrayList<>(count);
    final List<Long> groups = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      keys.add(ChunkKey.fromBytes(body, in.position()));
      in.position(in.position() + ChunkKey.BYTES);
      groups.add(in.getLong());
    }
    return new Offer(
        epoch,
        fingerprint,
        remainingNs,
        new Slices(chunkBytes, sliceBytes),
        total,
        first,
        keys,
        groups);
  }

  /** Whether a hand-off may be that large. */
  static boolean isWithinLimits(final int chunks, final int chunkBytes, final int sliceBytes) {
    return chunks >= 1
        && chunks <= CHUNKS_MAX
        && chunkBytes >= 1
        && sliceBytes >= 1
        && (long) chunks * Math.ceilDiv(chunkBytes, sliceBytes) <= SLICES_MAX;
  }
}
