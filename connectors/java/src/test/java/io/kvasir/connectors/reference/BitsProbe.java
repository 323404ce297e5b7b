package io.kvasir.connectors.reference;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.HexFormat;

/** Prints the digest of the logits of a tiny model, after as many rounds as the argument says. */
final class BitsProbe {
  static final ModelConfig TINY = new ModelConfig(256, 2, 32, 4, 2, 8, 64, 16, 512, 42L);

  private BitsProbe() {}

  static int[] tokens(int count) {
    final SplitMix64 random = new SplitMix64(7);
    final int[] tokens = new int[count];
    for (int i = 0; i < count; i++) {
      tokens[i] = (int) (random.nextLong() >>> 47);
    }
    return tokens;
  }

  static void main(String[] args) throws Exception {
    final ReferenceModel model = new ReferenceModel(TINY);
    final KvPool pool = KvPool.forOnePrompt(TINY);
    final int[] tokens = tokens(300);
    String digest = "";
    for (int round = 0; round < Integer.parseInt(args[0]); round++) {
      try (KvPool.Sequence kv = pool.open()) {
        final MessageDigest sha = MessageDigest.getInstance("SHA-256");
        for (final int to : new int[] {1, 100, 300}) {
          final float[] logits = model.prefill(tokens, to, kv);
          final ByteBuffer bytes = ByteBuffer.allocate(logits.length * Float.BYTES);
          for (final float logit : logits) {
            bytes.putInt(Float.floatToRawIntBits(logit));
          }
          sha.update(bytes.array());
        }
        final String now = HexFormat.of().formatHex(sha.digest());
        if (round > 0 && !now.equals(digest)) {
          throw new IllegalStateException("bits changed in round " + round);
        }
        digest = now;
      }
    }
    System.out.println(digest);
  }
}
