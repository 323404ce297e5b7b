package io.kvasir.connectors.client;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** Anything that keeps the client from doing what it was asked. An engine treats it as a miss. */
public abstract sealed class KvasirException extends RuntimeException
    permits KvasirProtocolException, NodeUnavailableException {
  @Serial private static final long serialVersionUID = 1L;

  KvasirException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  /** True if certainly nothing happened; false if the request may have had its effect. */
  public abstract boolean isDefinite();

  /** True if the same request may succeed later, perhaps on a new connection. */
  public abstract boolean isRetryable();
}
