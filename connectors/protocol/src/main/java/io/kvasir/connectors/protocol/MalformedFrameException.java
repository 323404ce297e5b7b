package io.kvasir.connectors.protocol;

import java.io.Serial;

/** A frame from the other side breaks the protocol. Says which error to answer, and to whom. */
public final class MalformedFrameException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1L;

  private final ErrorCode errorCode;
  private final int correlationId;

  /**
   * @param errorCode what to answer; it also says whether the connection must be closed
   * @param correlationId of the frame at fault, 0 when it is not known
   * @param what the field at fault and its value
   */
  public MalformedFrameException(ErrorCode errorCode, int correlationId, String what) {
    super("KVA-0501 engine frame refused - error=" + errorCode + " " + what);
    this.errorCode = errorCode;
    this.correlationId = correlationId;
  }

  /** The error to answer. */
  public ErrorCode errorCode() {
    return errorCode;
  }

  /** Correlation id of the frame at fault, 0 when it is not known. */
  public int correlationId() {
    return correlationId;
  }
}
