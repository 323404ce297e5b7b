package io.kvasir.cli.replay;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What a replay is asked to do.
 *
 * @param trace the trace file
 * @param nodes node processes to start
 * @param bytesPerToken bytes of KV that stand for one token; a chunk has 512 times as many
 * @param limit requests to read at most
 * @param capacityBytes slab bytes per node, or null to size the slabs so that nothing is evicted
 * @param evictionPolicy name of the eviction policy
 * @param killNode node to kill with SIGKILL, or null
 * @param killAtRequest number of the request during which it dies
 * @param corruptNode node in whose slab one byte is flipped, or null
 * @param slabDirectory folder under which the nodes make their slabs
 */
public record ReplayOptions(
    Path trace,
    int nodes,
    int bytesPerToken,
    int limit,
    @Nullable Long capacityBytes,
    String evictionPolicy,
    @Nullable Integer killNode,
    int killAtRequest,
    @Nullable Integer corruptNode,
    Path slabDirectory) {
  /** No chunk is larger than a slab segment, which has at most 1 GiB. */
  private static final int BYTES_PER_TOKEN_MAX = (1 << 30) / Trace.BLOCK_TOKENS;

  public ReplayOptions {
    requireAtLeast("nodes", nodes, 1);
    requireWithin("bytes-per-token", bytesPerToken, 1, BYTES_PER_TOKEN_MAX);
    requireAtLeast("limit", limit, 1);
    requireNode("kill-node", killNode, nodes);
    requireNode("corrupt", corruptNode, nodes);
    if (killNode != null && nodes == 1) {
      throw new IllegalArgumentException(
          "KVA-0613 nobody is left to replay on - kill-node="
              + killNode
              + " nodes=1; start two or more nodes");
    }
    if (corruptNode != null && nodes == 1) {
      throw new IllegalArgumentException(
          "KVA-0613 nobody would pull the flipped byte - corrupt="
              + corruptNode
              + " nodes=1; start two or more nodes");
    }
    if (corruptNode != null && corruptNode.equals(killNode)) {
      throw new IllegalArgumentException(
          "KVA-0613 kill-node and corrupt name the same node=" + killNode + "; choose two");
    }
  }

  /** Bytes of one chunk: one 512-token block. */
  public int chunkBytes() {
    return Trace.BLOCK_TOKENS * bytesPerToken;
  }

  private static void requireAtLeast(String name, int value, int min) {
    if (value < min) {
      throw new IllegalArgumentException(
          "KVA-0612 replay option rejected - " + name + "=" + value + " (limit=" + min + ")");
    }
  }

  private static void requireNode(String name, @Nullable Integer node, int nodes) {
    if (node != null) {
      requireWithin(name, node, 0, nodes - 1);
    }
  }

  private static void requireWithin(String name, int value, int min, int max) {
    if (value < min || value > max) {
      throw new IllegalArgumentException(
          "KVA-0612 replay option rejected - "
              + name
              + "="
              + value
              + " (limit="
              + min
              + ".."
              + max
              + ")");
    }
  }
}
