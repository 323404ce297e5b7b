package io.kvasir.connectors.client;

import io.kvasir.connectors.protocol.ErrorBody;
import io.kvasir.connectors.protocol.ErrorCode;
import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** The node answered a request with an error. */
public final class KvasirProtocolException extends KvasirException {
  @Serial private static final long serialVersionUID = 1L;

  private final int code;
  private final boolean definite;
  private final boolean retryable;

  KvasirProtocolException(String request, ErrorBody error) {
    super(
        "KVA-0520 node refused - request="
            + request
            + " error="
            + name(error.code())
            + " detail="
            + error.detail(),
        null);
    this.code = error.code();
    this.definite = error.definite();
    this.retryable = error.retry();
  }

  /** The number of the error on the wire. */
  public int code() {
    return code;
  }

  /** The error, or null for one that this client does not know. */
  public @Nullable ErrorCode errorCode() {
    return ErrorCode.of(code);
  }

  @Override
  public boolean isDefinite() {
    return definite;
  }

  @Override
  public boolean isRetryable() {
    return retryable;
  }

  private static String name(int code) {
    final ErrorCode known = ErrorCode.of(code);
    return known == null ? Integer.toString(code) : known.name();
  }
}
