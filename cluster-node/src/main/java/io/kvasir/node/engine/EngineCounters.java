package io.kvasir.node.engine;

/** What the endpoint did since the process started. Node agent only. */
public final class EngineCounters {
  long sessionsOpened;
  long sessionsClosed;
  long sessionsRefused;
  long malformedFrames;
  long slowReaders;
  long silentSockets;
  long lookups;
  long lookupChunks;
  long lookupFound;
  long lookupWorth;
  long acquires;
  long releases;
  long commits;
  long internalErrors;

  EngineCounters() {}

  /** Sockets accepted. */
  public long sessionsOpened() {
    return sessionsOpened;
  }

  /** Sockets closed by either side. */
  public long sessionsClosed() {
    return sessionsClosed;
  }

  /** Sockets refused: too many, or another user. */
  public long sessionsRefused() {
    return sessionsRefused;
  }

  /** Frames that broke the protocol. */
  public long malformedFrames() {
    return malformedFrames;
  }

  /** Sockets closed because they did not read. */
  public long slowReaders() {
    return slowReaders;
  }

  /** Sockets closed because they were silent. */
  public long silentSockets() {
    return silentSockets;
  }

  /** LOOKUP requests. */
  public long lookups() {
    return lookups;
  }

  /** Chunks they asked for. */
  public long lookupChunks() {
    return lookupChunks;
  }

  /** Leading chunks they found. */
  public long lookupFound() {
    return lookupFound;
  }

  /** Of those, leading chunks that were worth loading. */
  public long lookupWorth() {
    return lookupWorth;
  }

  /** ACQUIRE requests. */
  public long acquires() {
    return acquires;
  }

  /** RELEASE requests that count. */
  public long releases() {
    return releases;
  }

  /** COMMIT requests. */
  public long commits() {
    return commits;
  }

  /** Requests that failed inside the node. */
  public long internalErrors() {
    return internalErrors;
  }
}
