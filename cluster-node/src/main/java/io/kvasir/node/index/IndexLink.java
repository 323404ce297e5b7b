package io.kvasir.node.index;

/**
 * How the index reaches the other members' parts of it. Thread-safe, and none of it waits: what
 * does not arrive is answered by the asker's deadline.
 */
public interface IndexLink {
  /** Longest question or answer part in bytes. */
  int bytesMax();

  /**
   * Sends a question to a member; its answer comes to {@link ClusterIndex#answered}.
   *
   * @return false if it cannot be sent now
   */
  boolean ask(ClusterMember member, long questionId, byte[] question);

  /** Sends a part of the answer to a question that came to {@link ClusterIndex#asked}. */
  void answer(long nodeId, long questionId, byte[] part);
}
