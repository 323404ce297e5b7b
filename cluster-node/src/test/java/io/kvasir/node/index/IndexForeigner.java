package io.kvasir.node.index;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import javax.cache.CacheException;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.Ignition;
import org.apache.ignite.cluster.ClusterNode;

/**
 * A member that allows itself what the others do not, and sends it to the node that is primary for
 * an entry. Arguments: directory, seed, the other's node id.
 */
final class IndexForeigner {
  private IndexForeigner() {}

  public static void main(final String[] arguments) throws Exception {
    final Path directory = Path.of(arguments[0]);
    final Path allowed = directory.resolve("allowed.txt");
    Files.write(
        allowed,
        List.of(
            GroupAffinity.class.getName(),
            HolderUpdate.class.getName(),
            ForeignClass.class.getName()));
    final IndexConfig config =
        IgniteLife.withRealPorts(IndexCluster.config(directory, 77, "a", 0, List.of(arguments[1])));
    IgniteSettings.setSystemProperties();
    System.setProperty("IGNITE_MARSHALLER_WHITELIST", allowed.toString());
    try (Ignite ignite =
        Ignition.start(IgniteSettings.configuration(config, MemberAttributes.PROTOCOL_VERSION))) {
      final SplittableRandom random = new SplittableRandom(1);
      byte[] key;
      do {
        key = new IndexKey(random.nextLong(), IndexCluster.key(random)).toBytes();
      } while (!isPrimary(ignite, key, Long.parseLong(arguments[2])));
      try {
        ignite
            .<byte[], byte[]>cache(IgniteSettings.CACHE)
            .invokeAsync(key, new ForeignClass())
            .get(60, TimeUnit.SECONDS);
        System.out.println("RAN");
      } catch (final IgniteException | CacheException e) {
        System.out.println("REFUSED " + reasons(e));
      }
    }
  }

  private static boolean isPrimary(final Ignite ignite, final byte[] key, final long nodeId) {
    final ClusterNode node = ignite.affinity(IgniteSettings.CACHE).mapKeyToNode(key);
    final ClusterMember primary = node == null ? null : MemberAttributes.member(node);
    return primary != null && primary.nodeId() == nodeId;
  }

  private static String reasons(final Throwable failure) {
    final StringBuilder reasons = new StringBuilder();
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      reasons.append(cause).append(" | ");
      for (final Throwable suppressed : cause.getSuppressed()) {
        reasons.append(suppressed).append(" | ");
      }
    }
    return reasons.toString().replace('\n', ' ');
  }
}
