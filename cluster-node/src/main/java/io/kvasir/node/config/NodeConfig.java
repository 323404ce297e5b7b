package io.kvasir.node.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The configuration of one node: typed, checked as a whole, immutable. Each record is a section of
 * the file, each component {@code slabBytes} of {@code Store} the key {@code store.slab-bytes}.
 * Keys, defaults and meanings are listed in {@code docs/reference/config.md}.
 */
public record NodeConfig(
    Node node, Cluster cluster, Transport transport, Store store, Index index, Security security) {

  /** Who this node is and where it keeps its run-time files. */
  public record Node(String name, Path runDir, String zone) {}

  /** How it finds the others; {@code seeds} are {@code host:port}, a port 0 means any free one. */
  public record Cluster(
      String name,
      String bind,
      int discoveryPort,
      int communicationPort,
      List<String> seeds,
      List<String> voters) {
    /** Keeps its own copies of the lists. */
    public Cluster {
      seeds = List.copyOf(seeds);
      voters = List.copyOf(voters);
    }
  }

  /** Chunk transfers between nodes. */
  public record Transport(
      int port,
      int mtu,
      int termBytes,
      int windowBytes,
      Path aeronDir,
      boolean externalDriver,
      boolean sameHost,
      long demandBytesPerSecond,
      long handoffBytesPerSecond) {}

  /** Slab, slot table, directory and eviction. */
  public record Store(
      Path slabDir,
      long slabBytes,
      long segmentBytes,
      int maxChunks,
      double ownerShare,
      String evictionPolicy,
      double highWatermark,
      double lowWatermark) {}

  /** The cluster's index on this node. */
  public record Index(long memoryBytes) {}

  /** What is deliberately left open. */
  public record Security(boolean insecure) {}

  /**
   * Reads and checks a configuration.
   *
   * @param file YAML file, or null for none
   * @param environment variables; only those that begin with {@code KVASIR_} count
   * @param overrides {@code key=value} texts, the last of a key wins
   * @throws ConfigException naming all problems at once
   */
  public static NodeConfig load(
      final @Nullable Path file,
      final Map<String, String> environment,
      final List<String> overrides) {
    final List<String> problems = new ArrayList<>();
    final ConfigSources sources = new ConfigSources(problems);
    if (file != null) {
      sources.file(file);
    }
    sources.environment(environment);
    sources.overrides(overrides);
    final NodeConfig config = new ConfigReader(sources.texts(), problems).read();
    if (!problems.isEmpty()) {
      throw new ConfigException(problems);
    }
    return config;
  }

  /** Everything in force as YAML that {@link #load} reads back to an equal configuration. */
  public String toYaml() {
    return ConfigPrinter.yaml(this);
  }

  /** The table of all keys for {@code docs/reference/config.md}. */
  public static String referencePage() {
    return ConfigPrinter.referencePage();
  }
}
