package io.kvasir.connectors.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 3, unit = TimeUnit.MINUTES)
final class ReferenceModelTest {
  private final ModelConfig config = BitsProbe.TINY;
  private final ReferenceModel model = new ReferenceModel(config);
  private final KvPool pool = KvPool.forOnePrompt(config);
  private final int[] tokens = BitsProbe.tokens(300);
  private final int[] wholeBits = bits(wholePrompt());

  @Test
  void shouldGiveTheSameBitsWhenPromptIsCutIntoPieces() {
    for (final int piece : new int[] {1, 2, 7, 16, 64, 127, 128, 129, 299}) {
      try (KvPool.Sequence kv = pool.open()) {
        float[] logits = new float[0];
        for (int to = 0; to < tokens.length; ) {
          to = Math.min(tokens.length, to + piece);
          logits = model.prefill(tokens, to, kv);
        }
        assertArrayEquals(wholeBits, bits(logits), "piece=" + piece);
      }
    }
  }

  @Test
  void shouldGiveTheSameBitsWhenKvBytesAreReused() {
    final List<MemorySegment> chunks = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      try (KvPool.Sequence kv = pool.open()) {
        model.prefill(tokens, tokens.length, kv);
        for (int i = 0; i < tokens.length / config.chunkTokens(); i++) {
          final MemorySegment chunk = arena.allocate(config.chunkBytes());
          kv.copyPage(i, chunk);
          chunks.add(chunk);
        }
      }
      for (int reused = 1; reused <= chunks.size(); reused++) {
        try (KvPool.Sequence kv = pool.open()) {
          chunks.subList(0, reused).forEach(kv::appendPage);
          assertArrayEquals(
              wholeBits, bits(model.prefill(tokens, tokens.length, kv)), "reused=" + reused);
        }
      }
    }
  }

  @Test
  void shouldGiveOtherBitsWhenOneReusedByteIsWrong() {
    try (Arena arena = Arena.ofConfined();
        KvPool.Sequence first = pool.open()) {
      model.prefill(tokens, tokens.length, first);
      final MemorySegment chunk = arena.allocate(config.chunkBytes());
      first.copyPage(0, chunk);
      final long inValues = 4L * (config.chunkTokens() + 1) * config.kvWidth() + 2;
      chunk.set(
          ValueLayout.JAVA_BYTE,
          inValues,
          (byte) (chunk.get(ValueLayout.JAVA_BYTE, inValues) ^ 0x40));
      first.clear();
      first.appendPage(chunk);
      final int[] other = bits(model.prefill(tokens, tokens.length, first));
      assertTrue(!Arrays.equals(wholeBits, other));
    }
  }

  @Test
  void shouldGiveSaneLogitsWhenWeightsAreRandom() {
    final float[] logits = wholePrompt();
    double squares = 0;
    for (final float logit : logits) {
      assertTrue(Float.isFinite(logit));
      squares += (double) logit * logit;
    }
    final double deviation = Math.sqrt(squares / logits.length);
    assertTrue(deviation > 0.5 && deviation < 2.0, "deviation=" + deviation);
  }

  @Test
  void shouldRefuseWhenNothingIsLeftToCompute() {
    try (KvPool.Sequence kv = pool.open()) {
      model.prefill(tokens, 10, kv);
      assertThrows(IllegalArgumentException.class, () -> model.prefill(tokens, 10, kv));
      assertThrows(IllegalArgumentException.class, () -> model.prefill(tokens, 301, kv));
      final int[] tooLong = new int[config.tokensMax() + 1];
      assertThrows(
          IllegalArgumentException.class, () -> model.prefill(tooLong, tooLong.length, kv));
      assertEquals(10, kv.length());
    }
  }

  @Test
  void shouldGivePagesBackWhenSequenceIsClosed() {
    final KvPool small = new KvPool(config, 3);
    try (KvPool.Sequence kv = small.open()) {
      kv.extend(2 * config.chunkTokens() + 1);
      assertEquals(0, small.freePages());
      assertThrows(IllegalStateException.class, () -> kv.extend(config.chunkTokens()));
      assertThrows(IllegalStateException.class, () -> kv.appendPage(MemorySegment.NULL));
    }
    assertEquals(3, small.freePages());
  }

  @Test
  void shouldReportAllProblemsWhenConfigIsWrong() {
    final IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> new ModelConfig(0, 0, 3, 3, 2, 6, 4, 4, 4, 1L));
    for (final String name : new String[] {"vocabulary=0", "layers=0", "hidden=3", "heads=3"}) {
      assertTrue(e.toString().contains(name), e.toString());
    }
  }

  @Test
  void shouldMatchPublishedVectorWhenSeedIsKnown() {
    final SplitMix64 random = new SplitMix64(1234567);
    assertEquals(6457827717110365317L, random.nextLong());
    assertEquals(3203168211198807973L, random.nextLong());
  }

  private float[] wholePrompt() {
    try (KvPool.Sequence kv = pool.open()) {
      return model.prefill(tokens, tokens.length, kv);
    }
  }

  private static int[] bits(float[] logits) {
    final int[] bits = new int[logits.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(logits[i]);
    }
    return bits;
  }
}
