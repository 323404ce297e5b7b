package io.kvasir.transport;

import io.aeron.Aeron;
import io.aeron.ExclusivePublication;
import org.jspecify.annotations.Nullable;

/** A publication to a peer; added without waiting for the driver. */
final class Outbound {
  private final Aeron aeron;
  private final long registrationId;
  private @Nullable ExclusivePublication publication;

  Outbound(Aeron aeron, String channel, int streamId) {
    this.aeron = aeron;
    this.registrationId = aeron.asyncAddExclusivePublication(channel, streamId);
  }

  long registrationId() {
    return registrationId;
  }

  /**
   * The publication once a peer receives it, else null.
   *
   * @throws io.aeron.exceptions.RegistrationException if the driver refused it.
   */
  @Nullable ExclusivePublication connected() {
    ExclusivePublication current = publication;
    if (current == null) {
      current = aeron.getExclusivePublication(registrationId);
      publication = current;
    }
    return current != null && current.isConnected() ? current : null;
  }

  void close() {
    if (!aeron.isClosed()) {
      aeron.asyncRemovePublication(registrationId);
    }
  }
}
