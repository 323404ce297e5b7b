package io.kvasir.cli.doctor;

import io.kvasir.node.config.NodeConfig;

/** Whether the configuration is accepted. */
sealed interface ConfigCheck extends Check {
  @Override
  default String name() {
    return "configuration";
  }

  /** It is. */
  record Accepted(NodeConfig config) implements ConfigCheck {
    @Override
    public Finding run() {
      return new Finding.Ok(
          "node " + config.node().name() + " of cluster " + config.cluster().name());
    }
  }

  /**
   * It is not.
   *
   * @param problem names all problems
   */
  record Refused(String problem) implements ConfigCheck {
    @Override
    public Finding run() {
      return new Finding.Fail(
          problem,
          "correct these keys (docs/reference/config.md lists all); the checks that need them were"
              + " left out");
    }
  }
}
