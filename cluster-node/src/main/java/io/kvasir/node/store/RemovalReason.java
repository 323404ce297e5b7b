package io.kvasir.node.store;

/** Why a committed chunk left the store. */
public enum RemovalReason {
  /** Room was needed, or the watermark was passed. */
  EVICTED,
  /** Its bytes did not match their checksum. */
  CORRUPT,
  /** {@link Store#drop} was called. */
  DROPPED,
  /** A newer epoch of the same key is being stored. */
  STALE_EPOCH
}
