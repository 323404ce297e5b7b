package io.kvasir.node.peer;

/** What the peer room did since the process started. Node agent only. */
public final class PeerCounters {
  private long hitsLocal;
  private long hitsPeer;
  private long misses;
  private long bytesPulled;
  private long pullsFailedOver;
  private long corruptPulls;
  private long staleEntries;
  private long bytesServed;
  private long serveRequests;
  private long bytesCopied;
  private long bytesLent;
  private long neighboursRefused;
  private long rateProbes;
  private long hedges;
  private long hedgesWon;
  private long bytesHedged;

  void ready(final boolean[] fromPeer, final int from, final int to) {
    for (int i = from; i < to; i++) {
      if (fromPeer[i]) {
        hitsPeer++;
      } else {
        hitsLocal++;
      }
    }
  }

  void missed(final int chunks) {
    misses += chunks;
  }

  void pulled(final int bytes) {
    bytesPulled += bytes;
  }

  void copied(final int bytes) {
    bytesCopied += bytes;
  }

  void lent(final int bytes) {
    bytesLent += bytes;
  }

  void neighbourRefused() {
    neighboursRefused++;
  }

  void hedged(final int bytes) {
    hedges++;
    bytesHedged += bytes;
  }

  void hedgeWon() {
    hedgesWon++;
  }

  void rateProbed() {
    rateProbes++;
  }

  void failedOver() {
    pullsFailedOver++;
  }

  void corruptPull() {
    corruptPulls++;
  }

  void staleEntry() {
    staleEntries++;
  }

  void serving() {
    serveRequests++;
  }

  void served(final int bytes) {
    bytesServed += bytes;
  }

  /** Chunks that became READY from this slab. */
  public long hitsLocal() {
    return hitsLocal;
  }

  /** Chunks that became READY from a peer. */
  public long hitsPeer() {
    return hitsPeer;
  }

  /** Chunks asked for by ACQUIRE that did not become READY. */
  public long misses() {
    return misses;
  }

  /** Bytes of chunks that came from peers over the network and proved right. */
  public long bytesPulled() {
    return bytesPulled;
  }

  /** Chunks that another holder had to deliver. */
  public long pullsFailedOver() {
    return pullsFailedOver;
  }

  /** Chunks from peers whose bytes did not match their checksum. */
  public long corruptPulls() {
    return corruptPulls;
  }

  /** Index entries of others that proved wrong and were withdrawn. */
  public long staleEntries() {
    return staleEntries;
  }

  /** Bytes of chunks copied from slabs of other nodes of this host that proved right. */
  public long bytesCopied() {
    return bytesCopied;
  }

  /** Bytes of chunks pinned for other nodes of this host to copy. */
  public long bytesLent() {
    return bytesLent;
  }

  /** Nodes that seemed to be of this host, but whose slab or proof was not what it should be. */
  public long neighboursRefused() {
    return neighboursRefused;
  }

  /** Chunks that a second holder was asked for because the first one was late. */
  public long hedges() {
    return hedges;
  }

  /** Of these, the ones that the second holder delivered. */
  public long hedgesWon() {
    return hedgesWon;
  }

  /** Bytes asked for twice. */
  public long bytesHedged() {
    return bytesHedged;
  }

  /** Chunks pulled from slow peers to see whether they still are. */
  public long rateProbes() {
    return rateProbes;
  }

  /** Bytes of chunks sent to peers. */
  public long bytesServed() {
    return bytesServed;
  }

  /** Pulls of peers that asked this node. */
  public long serveRequests() {
    return serveRequests;
  }
}
