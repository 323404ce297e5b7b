package io.kvasir.node.peer;

import io.kvasir.node.store.SlabShare;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.PullFailure;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.BiConsumer;
import java.util.function.Function;

/**
 * What two nodes of one host tell each other, as remarks of their session. Little-endian; the first
 * byte says which message it is. Drawn in {@code docs/spec/peer-protocol.md}.
 */
sealed interface NeighbourMessage {
  /** Bytes of a {@link Borrow} beside its chunks, and of each chunk. */
  int BORROW_BYTES = 1 + 8 + 4 + 4;

  int WANTED_BYTES = 32 + 8 + 8 + 4;

  /** Bytes of one entry of {@link Returned}, after the first byte of the message. */
  int DONE_BYTES = 8 + 2;

  int PATH_BYTES_MAX = 1_024;

  /** Bytes of {@link Lent} and {@link Refused} beside their chunks, and of each chunk. */
  int ANSWER_BYTES = 1 + 8;

  int PLACE_BYTES = 2 + 8 + 8 + 4;
  int REFUSAL_BYTES = 2 + 1 + 8;

  /** Shows me your slab, with this nonce in its header; {@link SlabShare#hostProof} says where. */
  record Ask(long nonce, int uid, UUID hostProof) implements NeighbourMessage {}

  /** There it is. */
  record Offer(long nonce, int cell, SlabShare share) implements NeighbourMessage {}

  /** I see it: this stands beside my nonce. */
  record Proof(long nonce, long proof) implements NeighbourMessage {}

  /** You do; you may borrow. */
  record Proven(long nonce) implements NeighbourMessage {}

  /** Pin these for me. */
  record Borrow(long id, int namespaceTag, int epoch, List<Wanted> chunks)
      implements NeighbourMessage {}

  /** A chunk of a {@link Borrow}; version 0 is any. */
  record Wanted(ChunkKey key, long group, long version, int lengthBytes) {}

  /** These are pinned for you, until you return them or the session ends. */
  record Lent(long id, List<Place> places) implements NeighbourMessage {}

  /** Where a chunk lies. */
  record Place(int chunk, long slabOffset, long version, int crc32c) {}

  /** These you do not get. */
  record Refused(long id, List<Refusal> refusals) implements NeighbourMessage {}

  /** Why a chunk is not lent, with the owner's version if that is the reason. */
  record Refusal(int chunk, PullFailure reason, long version) {}

  /** I no longer read these. */
  record Returned(List<Done> chunks) implements NeighbourMessage {}

  /** A chunk that was lent. */
  record Done(long id, int chunk) {}

  /** Whether an {@link Offer} has room for where the slab is. */
  static boolean canOffer(final SlabShare share) {
    return share.directory().toString().getBytes(StandardCharsets.UTF_8).length <= PATH_BYTES_MAX;
  }

  /** The message as a remark. */
  default byte[] encode() {
    return switch (this) {
      case Ask ask ->
          begin(1, 8 + 4 + 16)
              .putLong(ask.nonce)
              .putInt(ask.uid)
              .putLong(ask.hostProof.getMostSignificantBits())
              .putLong(ask.hostProof.getLeastSignificantBits())
              .array();
      case Offer offer -> encode(offer);
      case Proof proof -> begin(3, 8 + 8).putLong(proof.nonce).putLong(proof.proof).array();
      case Proven proven -> begin(4, 8).putLong(proven.nonce).array();
      case Borrow borrow ->
          list(
              begin(5, BORROW_BYTES - 1 + WANTED_BYTES * borrow.chunks.size())
                  .putLong(borrow.id)
                  .putInt(borrow.namespaceTag)
                  .putInt(borrow.epoch),
              borrow.chunks,
              NeighbourMessage::put);
      case Lent lent ->
          list(
              begin(6, ANSWER_BYTES - 1 + PLACE_BYTES * lent.places.size()).putLong(lent.id),
              lent.places,
              (to, place) ->
                  to.putShort((short) place.chunk)
                      .putLong(place.slabOffset)
                      .putLong(place.version)
                      .putInt(place.crc32c));
      case Refused refused ->
          list(
              begin(7, ANSWER_BYTES - 1 + REFUSAL_BYTES * refused.refusals.size())
                  .putLong(refused.id),
              refused.refusals,
              (to, refusal) ->
                  to.putShort((short) refusal.chunk)
                      .put((byte) refusal.reason.code())
                      .putLong(refusal.version));
      case Returned returned ->
          list(
              begin(8, DONE_BYTES * returned.chunks.size()),
              returned.chunks,
              (to, done) -> to.putLong(done.id).putShort((short) done.chunk));
    };
  }

  private static ByteBuffer begin(final int kind, final int bytes) {
    return ByteBuffer.allocate(1 + bytes).order(ByteOrder.LITTLE_ENDIAN).put((byte) kind);
  }

  private static byte[] encode(final Offer offer) {
    final SlabShare share = offer.share;
    final byte[] path = share.directory().toString().getBytes(StandardCharsets.UTF_8);
    return begin(2, 8 + 2 + 4 + 16 + 4 * 8 + path.length)
        .putLong(offer.nonce)
        .putShort((short) offer.cell)
        .putInt(share.uid())
        .putLong(share.bootId().getMostSignificantBits())
        .putLong(share.bootId().getLeastSignificantBits())
        .putLong(share.slabId())
        .putLong(share.slabBytes())
        .putLong(share.segmentBytes())
        .putLong(share.incarnation())
        .put(path)
        .array();
  }

  private static void put(final ByteBuffer to, final Wanted wanted) {
    to.putLong(wanted.key.w0())
        .putLong(wanted.key.w1())
        .putLong(wanted.key.w2())
        .putLong(wanted.key.w3())
        .putLong(wanted.group)
        .putLong(wanted.version)
        .putInt(wanted.lengthBytes);
  }

  private static <T> byte[] list(
      final ByteBuffer to, final List<T> entries, final BiConsumer<ByteBuffer, T> put) {
    entries.forEach(entry -> put.accept(to, entry));
    final byte[] body = new byte[to.flip().remaining()];
    to.get(body);
    return body;
  }

  /**
   * Reads what {@link #encode} wrote.
   *
   * @throws IllegalArgumentException if it is something else
   */
  static NeighbourMessage decode(final byte[] body) {
    final ByteBuffer from = ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN);
    try {
      final NeighbourMessage message =
          switch (from.get()) {
            case 1 -> new Ask(from.getLong(), from.getInt(), uuid(from));
            case 2 -> offer(from);
            case 3 -> new Proof(from.getLong(), from.getLong());
            case 4 -> new Proven(from.getLong());
            case 5 ->
                new Borrow(
                    from.getLong(),
                    from.getInt(),
                    from.getInt(),
                    list(from, NeighbourMessage::wanted));
            case 6 ->
                new Lent(
                    from.getLong(),
                    list(
                        from, in -> new Place(chunk(in), in.getLong(), in.getLong(), in.getInt())));
            case 7 ->
                new Refused(
                    from.getLong(),
                    list(
                        from,
                        in -> new Refusal(chunk(in), PullFailure.ofCode(in.get()), in.getLong())));
            case 8 -> new Returned(list(from, in -> new Done(in.getLong(), chunk(in))));
            default -> throw new IllegalArgumentException("no message of neighbours");
          };
      if (from.hasRemaining()) {
        throw new IllegalArgumentException("longer than its message");
      }
      return message;
    } catch (final BufferUnderflowException | InvalidPathException e) {
      throw new IllegalArgumentException("cut short, or no path", e);
    }
  }

  private static UUID uuid(final ByteBuffer from) {
    return new UUID(from.getLong(), from.getLong());
  }

  private static int chunk(final ByteBuffer from) {
    return Short.toUnsignedInt(from.getShort());
  }

  private static Offer offer(final ByteBuffer from) {
    final long nonce = from.getLong();
    final int cell = Short.toUnsignedInt(from.getShort());
    final int uid = from.getInt();
    final UUID bootId = uuid(from);
    final long slabId = from.getLong();
    final long slabBytes = from.getLong();
    final long segmentBytes = from.getLong();
    final long incarnation = from.getLong();
    final byte[] path = new byte[Math.min(from.remaining(), PATH_BYTES_MAX)];
    from.get(path);
    return new Offer(
        nonce,
        cell,
        new SlabShare(
            uid,
            bootId,
            slabId,
            slabBytes,
            segmentBytes,
            incarnation,
            Path.of(new String(path, StandardCharsets.UTF_8))));
  }

  private static Wanted wanted(final ByteBuffer from) {
    return new Wanted(
        new ChunkKey(from.getLong(), from.getLong(), from.getLong(), from.getLong()),
        from.getLong(),
        from.getLong(),
        from.getInt());
  }

  private static <T> List<T> list(final ByteBuffer from, final Function<ByteBuffer, T> entry) {
    final List<T> entries = new ArrayList<>();
    while (from.hasRemaining()) {
      entries.add(entry.apply(from));
    }
    return entries;
  }
}
