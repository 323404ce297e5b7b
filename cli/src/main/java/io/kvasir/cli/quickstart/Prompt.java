package io.kvasir.cli.quickstart;

/** One request: a prompt and the node that gets it. Immutable. */
final class Prompt {
  private final int session;
  private final int turn;
  private final int node;
  private final int[] tokens;

  Prompt(int session, int turn, int node, int[] tokens) {
    this.session = session;
    this.turn = turn;
    this.node = node;
    this.tokens = tokens.clone();
  }

  /** The conversation, or the set of passages, that this prompt belongs to. */
  int session() {
    return session;
  }

  /** Its place in the session. */
  int turn() {
    return turn;
  }

  int node() {
    return node;
  }

  int length() {
    return tokens.length;
  }

  /** A copy of the token ids. */
  int[] tokens() {
    return tokens.clone();
  }
}
