package io.kvasir.connectors.protocol;

/**
 * FOUND: what LOOKUP knows. A hint, nothing is pinned. Flag bit 0 PARTIAL: the index did not answer
 * in time.
 *
 * <pre>
 *  offset  type  field
 *  0       u32   found: leading chunks that exist somewhere
 *  4       u32   local: of those, chunks in this node's slab
 *  8       u64   foundBytes
 *  16      u64   peerBytes: bytes that would have to be pulled
 *  24      u64   estimateUs: what pulling peerBytes would take now, 0 = nothing to pull or unknown
 *  32      u32   worth: leading chunks that are worth loading, at most found
 *  36      u32   advice: why so many
 * </pre>
 */
public final class FoundBody extends Body {
  static final int LENGTH = 40;

  private static final int LOCAL = 4;
  private static final int FOUND_BYTES = 8;
  private static final int PEER_BYTES = 16;
  private static final int ESTIMATE_US = 24;
  private static final int WORTH = 32;
  private static final int ADVICE = 36;

  private boolean partial;

  /** A view of nothing yet. */
  public FoundBody() {}

  /**
   * Views the body of a FOUND.
   *
   * @throws MalformedFrameException MALFORMED
   */
  public FoundBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.FOUND);
    partial = (frame.flags() & Protocol.FLAG_PARTIAL) != 0;
    checkInt(0, "found");
    checkInt(LOCAL, "local");
    checkLong(FOUND_BYTES, "foundBytes");
    checkLong(PEER_BYTES, "peerBytes");
    checkLong(ESTIMATE_US, "estimateUs");
    checkInt(WORTH, "worth");
    checkBelow(ADVICE, LoadAdvice.COUNT, "advice");
    if (local() > found() || worth() > found() || peerBytes() > foundBytes()) {
      throw malformed(
          "found",
          found() + " local=" + local() + " worth=" + worth() + " foundBytes=" + foundBytes());
    }
    return this;
  }

  /** The index did not answer in time: only what this node knows by itself is counted. */
  public boolean isPartial() {
    return partial;
  }

  /** Leading chunks that exist somewhere. */
  public int found() {
    return intAt(0);
  }

  /** Of those, chunks in this node's slab. */
  public int local() {
    return intAt(LOCAL);
  }

  /** Bytes of the found chunks. */
  public long foundBytes() {
    return longAt(FOUND_BYTES);
  }

  /** Bytes that would have to be pulled from peers. */
  public long peerBytes() {
    return longAt(PEER_BYTES);
  }

  /** Microseconds until all found chunks are READY, 0 = unknown. */
  public long estimateUs() {
    return longAt(ESTIMATE_US);
  }

  /** Leading chunks that are worth loading; the rest is sooner computed. */
  public int worth() {
    return intAt(WORTH);
  }

  /** Why so many. */
  public LoadAdvice advice() {
    return LoadAdvice.of(intAt(ADVICE));
  }

  /** Encodes a FOUND. */
  public static void encode(
      FrameWriter writer,
      int correlationId,
      boolean partial,
      int found,
      int local,
      long foundBytes,
      long peerBytes,
      long estimateUs,
      int worth,
      LoadAdvice advice) {
    writer.begin(MessageType.FOUND, partial ? Protocol.FLAG_PARTIAL : 0, correlationId, LENGTH);
    writer.putInt(found);
    writer.putInt(local);
    writer.putLong(foundBytes);
    writer.putLong(peerBytes);
    writer.putLong(estimateUs);
    writer.putInt(worth);
    writer.putInt(advice.code());
    writer.end();
  }
}
