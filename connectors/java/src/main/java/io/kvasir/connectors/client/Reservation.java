package io.kvasir.connectors.client;

import io.kvasir.connectors.protocol.ReserveStatus;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The outcome of a reservation for one chunk.
 *
 * @param status RESERVED, or why not
 * @param slot the slot to commit or abort, -1 unless RESERVED
 * @param memory where to write, the space's chunk size long; null unless RESERVED
 */
public record Reservation(ReserveStatus status, int slot, @Nullable MemorySegment memory) {
  /** May the engine write? Then {@link #memory()} is there. */
  public boolean isReserved() {
    return memory != null;
  }
}
