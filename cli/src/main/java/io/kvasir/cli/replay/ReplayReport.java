package io.kvasir.cli.replay;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What a replay found; the fields are described in {@code docs/reference/cli.md}. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record ReplayReport(
    @JsonProperty("requests") int requests,
    @JsonProperty("blocks") long blocks,
    @JsonProperty("hitBlocks") long hitBlocks,
    @JsonProperty("hitRate") double hitRate,
    @JsonProperty("tokenHitRate") double tokenHitRate,
    @JsonProperty("hits") Hits hits,
    @JsonProperty("verifiedBytes") long verifiedBytes,
    @JsonProperty("wrongBytes") long wrongBytes,
    @JsonProperty("blocksNotStored") long blocksNotStored,
    @JsonProperty("detectedCorruptions") long detectedCorruptions,
    @JsonProperty("flippedBytes") int flippedBytes,
    @JsonProperty("bytesMoved") long bytesMoved,
    @JsonProperty("longestRequestMs") double longestRequestMs,
    @JsonProperty("kill") @Nullable Kill kill,
    @JsonProperty("nodes") List<Node> nodes,
    @JsonProperty("seconds") double seconds) {

  public ReplayReport {
    nodes = List.copyOf(nodes);
  }

  /** Hit blocks by where their bytes were. */
  public record Hits(@JsonProperty("local") long local, @JsonProperty("peer") long peer) {}

  /**
   * What a killed node did to the rest.
   *
   * @param isGone whether the node's process was over at the end
   * @param longestRequestMs longest request that ended after the kill
   * @param blocksPerSecondAfter15s rate from 15 s after the kill to the end; absent when it ended
   *     sooner
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Kill(
      @JsonProperty("node") int node,
      @JsonProperty("atRequest") int atRequest,
      @JsonProperty("gone") boolean isGone,
      @JsonProperty("longestRequestMs") double longestRequestMs,
      @JsonProperty("firstRequestAfter15s") @Nullable Integer firstRequestAfter15s,
      @JsonProperty("blocksPerSecondAfter15s") @Nullable Double blocksPerSecondAfter15s) {}

  /** One node that was alive at the end. */
  public record Node(
      @JsonProperty("pid") long pid,
      @JsonProperty("runDir") String runDir,
      @JsonProperty("chunks") long chunks,
      @JsonProperty("bytesServedToPeers") long bytesServedToPeers) {}

  /** Did the replay prove what it set out to prove? */
  public boolean isGood() {
    return wrongBytes == 0
        && (flippedBytes == 0 || detectedCorruptions > 0)
        && (kill == null || kill.isGone());
  }

  /** Prints the result for people. */
  public void print(PrintStream out) {
    Locale locale = Locale.ROOT;
    out.printf(locale, "requests            %,14d%n", requests);
    out.printf(locale, "blocks              %,14d%n", blocks);
    out.printf(
        locale,
        "hit blocks          %,14d   %.4f of the blocks, %.4f of the tokens%n",
        hitBlocks,
        hitRate,
        tokenHitRate);
    out.printf(locale, "  from own slab     %,14d%n", hits.local());
    out.printf(locale, "  from peers        %,14d%n", hits.peer());
    out.printf(locale, "verified bytes      %,14d%n", verifiedBytes);
    out.printf(locale, "wrong bytes         %,14d%n", wrongBytes);
    if (flippedBytes > 0) {
      out.printf(
          locale, "flipped bytes       %,14d   detected: %d%n", flippedBytes, detectedCorruptions);
    }
    if (blocksNotStored > 0) {
      out.printf(locale, "blocks not stored   %,14d   no room%n", blocksNotStored);
    }
    out.printf(locale, "bytes between nodes %,14d%n", bytesMoved);
    out.printf(locale, "longest request     %,14.1f ms%n", longestRequestMs);
    if (kill != null) {
      out.printf(
          locale,
          "killed              node %d at request %d, %s, longest request after it %.1f ms%n",
          kill.node(),
          kill.atRequest(),
          kill.isGone() ? "gone" : "STILL ALIVE",
          kill.longestRequestMs());
      if (kill.blocksPerSecondAfter15s() != null) {
        out.printf(
            locale,
            "                    %.0f blocks/s from 15 s after it%n",
            kill.blocksPerSecondAfter15s());
      }
    }
    out.printf(locale, "seconds             %14.1f   %.0f blocks/s%n%n", seconds, blocks / seconds);
    out.printf(locale, "%8s %10s %16s  %s%n", "pid", "chunks", "bytes served", "run directory");
    for (Node node : nodes) {
      out.printf(
          locale,
          "%8d %,10d %,16d  %s%n",
          node.pid(),
          node.chunks(),
          node.bytesServedToPeers(),
          node.runDir());
    }
  }
}
