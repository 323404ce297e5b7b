package io.kvasir.node.peer;

import io.kvasir.connectors.protocol.EndReason;

/** Who asked for chunks. Called on the node agent, in this order: acquired, ready…, ended. */
public interface AcquireListener {
  /** Space for these leading chunks is reserved; the node will try to make them resident. */
  void acquired(AcquireOperation operation, int chunks);

  /** These chunks are resident and pinned. In order, without gaps. */
  void ready(AcquireOperation operation, int firstIndex, int count);

  /** No more will be ready. */
  void ended(AcquireOperation operation, int readyChunks, EndReason reason);
}
