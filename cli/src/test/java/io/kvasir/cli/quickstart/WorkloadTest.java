package io.kvasir.cli.quickstart;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class WorkloadTest {
  private static final Path ROOT = Path.of(System.getProperty("kvasir.root"));
  private static final Path JDK = Path.of(System.getProperty("java.home"));

  @Test
  void shouldKeepItsPromisesWhenBuiltFromRealText() throws IOException {
    for (final int nodes : new int[] {2, 3, 5}) {
      final List<Prompt> prompts = Workload.build(Corpus.load(ROOT, JDK), 60, nodes, 1);
      assertEquals(60, prompts.size());
      final Map<Integer, Integer> lastNode = new HashMap<>();
      for (final Prompt prompt : prompts) {
        assertTrue(prompt.length() >= Workload.PROMPT_TOKENS_MIN, "tokens=" + prompt.length());
        assertTrue(prompt.length() <= Workload.PROMPT_TOKENS_MAX, "tokens=" + prompt.length());
        final Integer before = lastNode.put(prompt.session(), prompt.node());
        assertTrue(before == null || before != prompt.node(), "session=" + prompt.session());
      }
      final double reusable = Workload.reusableShare(prompts, 64);
      assertTrue(reusable >= 0.5 && reusable <= 0.9, "reusable=" + reusable);
    }
  }

  @Test
  void shouldRepeatWhatWasSaidWhenConversationGoesOn() throws IOException {
    final List<Prompt> prompts = Workload.build(Corpus.load(ROOT, JDK), 60, 3, 1);
    int[] before = new int[0];
    for (final Prompt prompt : prompts) {
      if (prompt.session() == 0) {
        final int[] tokens = prompt.tokens();
        assertArrayEquals(before, Arrays.copyOf(tokens, before.length));
        assertNotEquals(before.length, tokens.length);
        before = tokens;
      }
    }
  }

  @Test
  void shouldGiveTheSamePromptsWhenSeedIsTheSame() throws IOException {
    final List<Prompt> first = Workload.build(Corpus.load(ROOT, JDK), 10, 3, 7);
    final List<Prompt> second = Workload.build(Corpus.load(ROOT, JDK), 10, 3, 7);
    for (int i = 0; i < 10; i++) {
      assertArrayEquals(first.get(i).tokens(), second.get(i).tokens());
    }
  }

  @Test
  void shouldSayWhatIsMissingWhenThereIsNoText(@TempDir Path empty) {
    final IOException e = assertThrows(IOException.class, () -> Corpus.load(empty, empty));
    assertTrue(e.toString().contains("KVA-0601"), e.toString());
  }
}
