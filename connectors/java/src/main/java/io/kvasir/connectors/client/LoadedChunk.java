package io.kvasir.connectors.client;

import io.kvasir.connectors.protocol.ChunkSource;
import java.lang.foreign.MemorySegment;

/**
 * A resident, pinned chunk.
 *
 * @param index index within the acquired run
 * @param memory the bytes, read-only, in the node's slab; they hold until the acquisition is
 *     released or the connection is lost, and a copy counts only once release has said so
 * @param version tells copies of one key apart that were computed separately
 * @param source where the chunk came from
 */
public record LoadedChunk(int index, MemorySegment memory, long version, ChunkSource source) {}
