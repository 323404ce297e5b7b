package io.kvasir.node.index;

import java.io.Serial;

/**
 * The index could not start or join; the message begins with its {@code KVA-03nn} id and says what
 * to do.
 */
public final class IndexException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1L;

  IndexException(final String message) {
    super(message);
  }

  IndexException(final String message, final Throwable cause) {
    super(message, cause);
  }
}
