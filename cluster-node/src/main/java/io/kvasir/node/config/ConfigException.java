package io.kvasir.node.config;

import java.util.List;

/** A configuration that is refused; the message names every problem in it, not only the first. */
public final class ConfigException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient List<String> problems;

  ConfigException(final List<String> problems) {
    super("KVA-0101 configuration refused - " + String.join("; ", problems));
    this.problems = List.copyOf(problems);
  }

  /** All problems, one sentence each. */
  public List<String> problems() {
    return problems;
  }
}
