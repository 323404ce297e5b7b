package io.kvasir.connectors.client;

import io.kvasir.connectors.protocol.LoadAdvice;

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
 * @param worth leading chunks that are worth loading; the rest is sooner computed
 * @param advice why so many
 */
public record LookupResult(
    boolean partial,
    int found,
    int local,
    long foundBytes,
    long peerBytes,
    long estimateUs,
    int worth,
    LoadAdvice advice) {}
