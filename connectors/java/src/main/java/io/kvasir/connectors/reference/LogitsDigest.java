package io.kvasir.connectors.reference;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.IntStream;

/** The bits of logits, their SHA-256 and the ids of the largest ones. */
final class LogitsDigest {
  private static final int TOP = 5;

  private final float[] logits;
  private final byte[] bytes;

  private LogitsDigest(float[] logits) {
    this.logits = logits;
    final ByteBuffer buffer =
        ByteBuffer.allocate(logits.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (final float logit : logits) {
      buffer.putInt(Float.floatToRawIntBits(logit));
    }
    bytes = buffer.array();
  }

  static LogitsDigest of(float[] logits) {
    return new LogitsDigest(logits);
  }

  /** Little-endian floats. */
  byte[] bytes() {
    return bytes;
  }

  String sha256() {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /** Ids of the {@value #TOP} largest logits, largest first, the lower id first among equals. */
  List<Integer> top() {
    return IntStream.range(0, logits.length)
        .boxed()
        .sorted((a, b) -> Float.compare(logits[b], logits[a]))
        .limit(TOP)
        .toList();
  }
}
