package io.kvasir.cli.doctor;

/** What a check found: good, a nuisance, or a reason why a node does not start. */
sealed interface Finding {
  /** What there is. */
  String found();

  /** As it should be. */
  record Ok(String found) implements Finding {}

  /**
   * Works, but slower or closer to a limit than need be.
   *
   * @param mend one sentence
   */
  record Warn(String found, String mend) implements Finding {}

  /**
   * A node does not start, or does not work.
   *
   * @param mend one sentence
   */
  record Fail(String found, String mend) implements Finding {}
}
