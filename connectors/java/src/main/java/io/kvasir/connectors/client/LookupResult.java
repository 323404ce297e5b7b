package io.kvasir.connectors.client;

/**
 * What the node knows of a run of chunks. A hint: nothing is pinned.
 *
 * @param partial the index did not answer in time: peers may have more, another lookup may find it
 * @param found leading chunks that exist somewhere
 * @param local of those, chunks in this node's slab
 * @param foundBytes bytes of the found chunks
 * @param peerBytes bytes that would have to be pulled from peers
 * @param estimateUs microseconds that pulling the peer bytes would take now, 0 = nothing to pull or
 *     unknown
 */
public record LookupResult(
    boolean partial, int found, int local, long foundBytes, long peerBytes, long estimateUs) {}
