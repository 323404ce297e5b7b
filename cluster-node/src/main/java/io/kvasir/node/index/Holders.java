package io.kvasir.node.index;

/**
 * The other members that hold a chunk, as far as the index knows.
 *
 * @param nodeIds at least one, never the local node
 * @param versions {@code versions[i]} is what {@code nodeIds[i]} holds
 */
@SuppressWarnings("ArrayRecordComponent") // handed over once, never compared
public record Holders(int lengthBytes, long[] nodeIds, long[] versions) {}
