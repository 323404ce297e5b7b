package io.kvasir.connectors.reference;

/**
 * What happened between the engine and its node since the start.
 *
 * @param loads loads that gave at least one chunk
 * @param failures calls that ended in an error, a lost connection or an invalid load; each was a
 *     miss
 * @param connects connections made
 * @param storedChunks chunks committed
 */
public record CacheCounters(long loads, long failures, long connects, long storedChunks) {
  static final CacheCounters NONE = new CacheCounters(0, 0, 0, 0);
}
