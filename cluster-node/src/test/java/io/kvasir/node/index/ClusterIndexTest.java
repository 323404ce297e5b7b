package io.kvasir.node.index;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.placement.ChunkKey;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Three members in one JVM, zones a, a and b. */
class ClusterIndexTest {
  @TempDir static Path directory;
  private static IndexCluster cluster;
  private final long seed = System.nanoTime();
  private final SplittableRandom random = new SplittableRandom(seed);

  @BeforeAll
  static void startCluster() {
    cluster = new IndexCluster(directory);
    cluster.add("a");
    cluster.add("a");
    cluster.add("b");
    cluster.awaitMembers(3);
  }

  @AfterAll
  static void stopCluster() {
    cluster.close();
  }

  private static ClusterIndex index(final int i) {
    return cluster.node(i).index();
  }

  @Test
  void shouldDescribeEveryMemberToEveryOther() {
    final List<ClusterMember> members = index(1).members();
    assertEquals(
        new ClusterMember(1, "n1", "127.0.0.1:40001", "a", 1L << 30, false), members.get(0));
    assertEquals(
        new ClusterMember(2, "n2", "127.0.0.1:40002", "a", 1L << 30, true), members.get(1));
    assertEquals(members, cluster.node(1).seen);
    assertTrue(cluster.node(1).reannounces.get() >= 1, "asked to announce after the join");
  }

  @Test
  void shouldFindOnOtherNodesWhatOneAnnounced() throws Exception {
    final ChunkKey key = IndexCluster.key(random);
    IndexCluster.announce(index(0), key, key.w0(), 1 << 20, 77);
    for (final int other : new int[] {1, 2}) {
      final Holders holders = IndexCluster.lookup(index(other), key, key.w0());
      assertNotNull(holders);
      assertEquals(1 << 20, holders.lengthBytes());
      assertArrayEquals(new long[] {1}, holders.nodeIds());
      assertArrayEquals(new long[] {77}, holders.versions());
    }
    assertNull(IndexCluster.lookup(index(0), key, key.w0()), "the own entry is not an answer");
  }
}
