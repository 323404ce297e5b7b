package io.kvasir.cli.status;

import io.kvasir.cli.text.Sizes;
import io.kvasir.cli.text.Table;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;

/**
 * What the nodes of one directory answered.
 *
 * @param directory the run directory, or the directory with a run directory per node
 * @param nodes those that answered, never empty
 * @param members the cluster as the first of them sees it
 * @param problems a sentence for each node that did not answer
 */
public record StatusReport(
    String directory,
    List<NodeStatus> nodes,
    List<NodeStatus.MemberStatus> members,
    List<String> problems) {

  /** Prints nodes and members; problems go to standard error with the rest of the diagnostics. */
  public void print(PrintStream out) {
    out.println(directory);
    out.println();
    Table nodeTable =
        new Table(
            "node",
            "pid",
            "chunks",
            "chunks max",
            "used",
            "slab",
            "hits local",
            "hits peer",
            "misses",
            "engines",
            "members");
    for (NodeStatus node : nodes) {
      nodeTable.row(
          node.name(),
          Long.toString(node.pid()),
          count(node.chunks()),
          count(node.chunksMax()),
          Sizes.text(node.usedBytes()),
          Sizes.text(node.slabBytes()),
          count(node.hits().local()),
          count(node.hits().peer()),
          count(node.misses()),
          count(node.engines()),
          count(node.members()));
    }
    nodeTable.print(out);
    out.println();
    Table memberTable = new Table("member", "node id", "endpoint", "zone", "capacity");
    for (NodeStatus.MemberStatus member : members) {
      memberTable.row(
          member.name(),
          member.nodeId(),
          member.endpoint(),
          member.zone(),
          Sizes.text(member.capacityBytes()));
    }
    memberTable.print(out);
  }

  private static String count(long number) {
    return String.format(Locale.ROOT, "%,d", number);
  }
}
