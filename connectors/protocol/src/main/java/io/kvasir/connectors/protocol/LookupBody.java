package io.kvasir.connectors.protocol;

/**
 * LOOKUP: how many leading chunks exist, and how many are worth loading? Flag bit 0 LOCAL_ONLY.
 *
 * <pre>
 *  offset  type    field
 *  0       u32     prefillTokensPerSecond: how fast the engine would compute them, 0 = not said
 *  4       u32     zero
 *  8       prefix  see {@link PrefixBody}
 * </pre>
 */
public final class LookupBody extends Body {
  private static final int PREFIX = 8;

  private final PrefixBody prefix = new PrefixBody();

  /** A view of nothing yet. */
  public LookupBody() {}

  /**
   * Views the body of a LOOKUP.
   *
   * @throws MalformedFrameException MALFORMED or INVALID_ARGUMENT
   */
  public LookupBody wrap(Frame frame) {
    view(frame);
    checkType(MessageType.LOOKUP);
    checkInt(0, "prefillTokensPerSecond");
    checkZero(4);
    prefix.wrap(frame, PREFIX);
    return this;
  }

  /** How many tokens of this prompt the engine would compute in a second, 0 = not said. */
  public int prefillTokensPerSecond() {
    return intAt(0);
  }

  /** The chunks. */
  public PrefixBody prefix() {
    return prefix;
  }

  /** Encodes a LOOKUP. */
  public static void encode(
      FrameWriter writer,
      int correlationId,
      boolean localOnly,
      int prefillTokensPerSecond,
      int space,
      int epoch,
      int firstPosition,
      byte[] anchorHash,
      byte[] hashes,
      int count) {
    PrefixBody.checkArguments(firstPosition, anchorHash, hashes, count);
    if (prefillTokensPerSecond < 0) {
      throw new IllegalArgumentException("prefillTokensPerSecond=" + prefillTokensPerSecond);
    }
    final int flags = localOnly ? Protocol.FLAG_LOCAL_ONLY : 0;
    writer.begin(MessageType.LOOKUP, flags, correlationId, lengthOf(count));
    writer.putInt(prefillTokensPerSecond);
    writer.putInt(0);
    PrefixBody.put(writer, space, epoch, firstPosition, anchorHash, hashes, count);
    writer.end();
  }

  static int lengthOf(int count) {
    return PREFIX + PrefixBody.lengthOf(count);
  }
}
