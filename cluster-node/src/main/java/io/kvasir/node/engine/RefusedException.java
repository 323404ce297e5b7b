package io.kvasir.node.engine;

import io.kvasir.connectors.protocol.ErrorCode;

/** A request that is well-formed and refused; the session answers it with an ERROR. */
final class RefusedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final ErrorCode code;

  RefusedException(final ErrorCode code, final String detail) {
    // Refusals are answers, not failures: nobody reads their stack trace.
    super(detail, null, false, false);
    this.code = code;
  }

  ErrorCode code() {
    return code;
  }

  String detail() {
    return String.valueOf(getMessage());
  }
}
