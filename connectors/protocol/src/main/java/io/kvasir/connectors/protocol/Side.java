package io.kvasir.connectors.protocol;

/** The two ends of an engine socket. */
public enum Side {
  /** The inference engine, which connects. */
  ENGINE,
  /** The node, which listens. */
  NODE
}
