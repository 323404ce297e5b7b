package io.kvasir.node.store;

import org.jspecify.annotations.Nullable;

/**
 * The store cannot do what was asked; the message carries a {@code KVA-02xx} number and what to do.
 */
public final class StoreException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  StoreException(String message) {
    super(message);
  }

  StoreException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
