package io.kvasir.node;

import org.jspecify.annotations.Nullable;

/** A node cannot start or go on; the message begins with its {@code KVA-nnnn} id. */
public final class NodeException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public NodeException(final String message, final @Nullable Throwable cause) {
    super(message, cause);
  }
}
