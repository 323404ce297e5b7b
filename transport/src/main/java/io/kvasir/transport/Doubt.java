package io.kvasir.transport;

import io.kvasir.placement.ChunkKey;

/** Tells a holder that the bytes it sent of a chunk had the wrong checksum. */
record Doubt(long peerNodeId, ChunkKey key, long version) {}
