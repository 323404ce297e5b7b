package io.kvasir.cli.quickstart;

import io.kvasir.placement.ContentHashes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/**
 * Conversations and retrieval prompts, interleaved as they would arrive at a fleet. A conversation
 * repeats all that was said and adds an answer and a question; a retrieval session asks different
 * questions about the same passages, sometimes with other passages in the last places. The turns of
 * a session go round the nodes, so that no node gets two in a row.
 */
final class Workload {
  static final int PROMPT_TOKENS_MIN = 1_000;
  static final int PROMPT_TOKENS_MAX = 3_000;

  private static final int SESSIONS_AT_ONCE = 4;
  private static final int TURNS = 8;
  private static final int PASSAGE_TOKENS = 420;
  private static final String SYSTEM =
      "<|system|>\nYou answer questions about distributed caches, their protocols and the software"
          + " licences they come with. Use the given text only. Say so when it does not hold the"
          + " answer. Quote the sentence you rely on, then explain it in plain words, then name"
          + " one thing that the reader should check next.\n\n";

  private final Corpus corpus;
  private final Random random;
  private final int nodes;

  private Workload(Corpus corpus, int nodes, long seed) {
    this.corpus = corpus;
    this.nodes = nodes;
    random = new Random(seed);
  }

  /**
   * Builds {@code requests} prompts of {@value #PROMPT_TOKENS_MIN} to {@value #PROMPT_TOKENS_MAX}
   * tokens.
   */
  static List<Prompt> build(Corpus corpus, int requests, int nodes, long seed) {
    return new Workload(corpus, nodes, seed).interleave(requests);
  }

  /** The share of all tokens that lies in full chunks which an earlier prompt held already. */
  static double reusableShare(List<Prompt> prompts, int chunkTokens) {
    final Set<String> seen = new HashSet<>();
    long reusable = 0;
    long total = 0;
    for (final Prompt prompt : prompts) {
      final byte[] hashes = ContentHashes.chunkHashes(prompt.tokens(), chunkTokens);
      for (int at = 0; at < hashes.length; at += ContentHashes.HASH_BYTES) {
        final byte[] hash = Arrays.copyOfRange(hashes, at, at + ContentHashes.HASH_BYTES);
        if (!seen.add(Arrays.toString(hash))) {
          reusable += chunkTokens;
        }
      }
      total += prompt.length();
    }
    return total == 0 ? 0 : (double) reusable / total;
  }

  private List<Prompt> interleave(int requests) {
    final List<Prompt> prompts = new ArrayList<>();
    final List<List<Prompt>> open = new ArrayList<>();
    int sessions = 0;
    while (prompts.size() < requests) {
      while (open.size() < SESSIONS_AT_ONCE) {
        open.add(sessions % 2 == 0 ? conversation(sessions) : retrieval(sessions));
        sessions++;
      }
      final int pick = random.nextInt(open.size());
      prompts.add(open.get(pick).removeFirst());
      if (open.get(pick).isEmpty()) {
        open.remove(pick);
      }
    }
    return prompts;
  }

  private List<Prompt> conversation(int session) {
    final List<Prompt> prompts = new ArrayList<>();
    final Tokens history = new Tokens();
    history.add(corpus.tokens(SYSTEM));
    history.add(corpus.take(random.nextInt(1_100, 1_700)));
    for (int turn = 0; turn < TURNS; turn++) {
      history.add(question());
      prompts.add(new Prompt(session, turn, (session + turn) % nodes, history.toArray()));
      history.add(corpus.take(random.nextInt(30, 90)));
    }
    return prompts;
  }

  private List<Prompt> retrieval(int session) {
    final List<int[]> passages = new ArrayList<>();
    final int count = random.nextInt(4, 7);
    for (int i = 0; i < count; i++) {
      passages.add(corpus.take(PASSAGE_TOKENS));
    }
    final List<Prompt> prompts = new ArrayList<>();
    for (int turn = 0; turn < TURNS; turn++) {
      if (turn % 4 == 3) { // the search found other passages for the last places
        passages.set(count - 1, corpus.take(PASSAGE_TOKENS));
        passages.set(count - 2, corpus.take(PASSAGE_TOKENS));
      }
      final Tokens prompt = new Tokens();
      prompt.add(corpus.tokens(SYSTEM));
      passages.forEach(prompt::add);
      prompt.add(question());
      prompts.add(new Prompt(session, turn, (session + turn) % nodes, prompt.toArray()));
    }
    return prompts;
  }

  private int[] question() {
    final Tokens question = new Tokens();
    question.add(corpus.tokens("<|user|>\nWhat follows from this, and what does it leave open?\n"));
    question.add(corpus.take(random.nextInt(10, 30)));
    question.add(corpus.tokens("\n<|assistant|>\n"));
    return question.toArray();
  }

  /** A growing array of token ids. */
  private static final class Tokens {
    private int[] ids = new int[PROMPT_TOKENS_MAX];
    private int length;

    void add(int[] more) {
      if (length + more.length > ids.length) {
        ids = Arrays.copyOf(ids, 2 * (length + more.length));
      }
      System.arraycopy(more, 0, ids, length, more.length);
      length += more.length;
    }

    int[] toArray() {
      return Arrays.copyOf(ids, length);
    }
  }
}
