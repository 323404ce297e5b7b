package io.kvasir.transport;

import java.lang.foreign.MemorySegment;
import org.agrona.DirectBuffer;

/**
 * The two copies of the data path: slab to claimed term buffer, term buffer to slot.
 *
 * <p>Both sides are checked: the term side by its buffer's bounds, the memory side by its segment.
 * Aeron's term buffers are addressed through one segment that spans the address space, because a
 * view per segment would be an allocation per segment.
 */
final class TermMemory {
  private static final MemorySegment ADDRESS_SPACE = addressSpace();

  private TermMemory() {}

  // Restricted: the only user is this class, with addresses that a checked term buffer gives.
  @SuppressWarnings("restricted")
  private static MemorySegment addressSpace() {
    return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
  }

  /** Copies from a term buffer into a slot. */
  static void drain(DirectBuffer term, int index, MemorySegment to, long offset, int lengthBytes) {
    term.boundsCheck(index, lengthBytes);
    MemorySegment.copy(ADDRESS_SPACE, term.addressOffset() + index, to, offset, lengthBytes);
  }

  /** Copies from a slab into a term buffer. */
  static void fill(DirectBuffer term, int index, MemorySegment from, long offset, int lengthBytes) {
    term.boundsCheck(index, lengthBytes);
    MemorySegment.copy(from, offset, ADDRESS_SPACE, term.addressOffset() + index, lengthBytes);
  }
}
