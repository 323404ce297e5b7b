package io.kvasir.transport;

import io.aeron.Image;
import org.jspecify.annotations.Nullable;

/**
 * A publication of somebody else, as this node receives it. It belongs to nobody until its first
 * message binds it to a session; without that it is refused soon.
 */
final class Inbound {
  final Image image;
  final boolean isControl;
  private @Nullable Session session;
  private long strayUntilNs;
  private boolean isMuted;
  private @Nullable String refusal;
  private boolean isRefused;

  /**
   * A new stream.
   *
   * @param strayUntilNs when it is refused unless it belongs to a session.
   */
  Inbound(Image image, boolean isControl, long strayUntilNs) {
    this.image = image;
    this.isControl = isControl;
    this.strayUntilNs = strayUntilNs;
  }

  @Nullable Session session() {
    return session;
  }

  void bind(@Nullable Session owner) {
    session = owner;
  }

  /** Its session is over and the publisher knows; the rest is read and dropped. */
  void mute(long untilNs) {
    session = null;
    isMuted = true;
    strayUntilNs = untilNs;
  }

  boolean isStray(long nowNs) {
    return session == null && nowNs - strayUntilNs > 0;
  }

  /** Whether its messages count. */
  boolean isHeeded() {
    return refusal == null && !isMuted;
  }

  /** Nothing more of this stream counts; it is refused with this reason at the next turn. */
  void condemn(String reason) {
    if (refusal == null) {
      refusal = reason;
    }
  }

  /** Refuses a condemned stream, once; Aeron carries the reason to the publisher. */
  boolean refuseIfCondemned() {
    String reason = refusal;
    if (reason == null || isRefused) {
      return false;
    }
    isRefused = true;
    if (!image.isClosed()) {
      image.reject(reason);
    }
    return true;
  }
}
