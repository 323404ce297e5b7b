package io.kvasir.transport;

import java.util.List;

/**
 * A batch of chunks to fetch from one holder.
 *
 * @param trafficClass what it is for.
 * @param pullId chosen by the caller; unique among its pulls in flight.
 * @param peerNodeId node id of the holder.
 * @param peerEndpoint the holder's {@code address:port} as {@link Transport#endpoint()} gives it.
 * @param chunks what to fetch, 1 to {@link #CHUNKS_MAX}, in the order in which it should arrive.
 * @param namespaceTag names the namespace to the holder.
 * @param epoch the reader's epoch of that namespace.
 * @param deadlineNs {@link System#nanoTime()} at which the rest fails with DEADLINE.
 * @param listener learns the outcome of each chunk.
 */
public record PullRequest(
    TrafficClass trafficClass,
    long pullId,
    long peerNodeId,
    String peerEndpoint,
    List<PullChunk> chunks,
    int namespaceTag,
    int epoch,
    long deadlineNs,
    PullListener listener) {
  /** The most chunks of one pull. */
  public static final int CHUNKS_MAX = 4096;

  public PullRequest {
    chunks = List.copyOf(chunks);
    if (chunks.isEmpty() || chunks.size() > CHUNKS_MAX) {
      throw new IllegalArgumentException(
          "KVA-0403 pull rejected - chunks="
              + chunks.size()
              + " (limit="
              + CHUNKS_MAX
              + "); split the batch");
    }
  }
}
