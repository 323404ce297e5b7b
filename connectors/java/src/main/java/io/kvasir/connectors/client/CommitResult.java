package io.kvasir.connectors.client;

import io.kvasir.connectors.protocol.CommitStatus;

/**
 * The outcome of a commit for one slot.
 *
 * @param slot the slot
 * @param status COMMITTED, or why not
 * @param version the chunk's version, 0 unless COMMITTED
 */
public record CommitResult(int slot, CommitStatus status, long version) {}
