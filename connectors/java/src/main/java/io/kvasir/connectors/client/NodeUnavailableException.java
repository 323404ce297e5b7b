package io.kvasir.connectors.client;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * The node cannot be reached, does not answer in time, has gone, or is no Kvasir node. The
 * connection is of no more use: spaces, slots and acquisitions of it are invalid, and what had been
 * loaded but not released does not count. The outcome of the call is unknown.
 */
public final class NodeUnavailableException extends KvasirException {
  @Serial private static final long serialVersionUID = 1L;

  NodeUnavailableException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  @Override
  public boolean isDefinite() {
    return false;
  }

  @Override
  public boolean isRetryable() {
    return true;
  }
}
