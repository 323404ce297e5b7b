package io.kvasir.node.peer;

import io.kvasir.connectors.protocol.LoadAdvice;

/**
 * How much of a found run is worth loading.
 *
 * @param estimateNs what it would take now to pull all that peers hold, 0 for nothing or not known
 * @param worth leading chunks that come sooner than they are computed
 * @param advice why so many
 * @param heldBack the node whose chunks are not worth it, 0 for none
 */
public record LoadPlan(long estimateNs, int worth, LoadAdvice advice, long heldBack) {}
