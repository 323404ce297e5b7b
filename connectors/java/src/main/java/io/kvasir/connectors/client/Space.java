package io.kvasir.connectors.client;

import io.kvasir.placement.Fingerprint;

/** A registered namespace. Valid on the connection that registered it and nowhere else. */
public final class Space {
  private final KvasirClient owner;
  private final int id;
  private final int epoch;
  private final Fingerprint fingerprint;
  private final int chunkTokens;
  private final int chunkBytes;

  Space(
      KvasirClient owner,
      int id,
      int epoch,
      Fingerprint fingerprint,
      int chunkTokens,
      int chunkBytes) {
    this.owner = owner;
    this.id = id;
    this.epoch = epoch;
    this.fingerprint = fingerprint;
    this.chunkTokens = chunkTokens;
    this.chunkBytes = chunkBytes;
  }

  /** The id on this connection. */
  public int id() {
    return id;
  }

  /** The namespace's epoch when it was registered. */
  public int epoch() {
    return epoch;
  }

  /** The namespace's fingerprint; node and client agree on it. */
  public Fingerprint fingerprint() {
    return fingerprint;
  }

  /** Tokens per chunk. */
  public int chunkTokens() {
    return chunkTokens;
  }

  /** Bytes per chunk. */
  public int chunkBytes() {
    return chunkBytes;
  }

  boolean isOf(KvasirClient client) {
    return owner == client;
  }
}
