package io.kvasir.node.config;

import java.util.List;
import java.util.function.Function;

/** Writes configurations and the key table. */
final class ConfigPrinter {
  private ConfigPrinter() {}

  static String yaml(final NodeConfig config) {
    final StringBuilder out = new StringBuilder();
    String section = "";
    for (final ConfigKey key : ConfigKey.values()) {
      final int dot = key.path.indexOf('.');
      if (!section.equals(key.path.substring(0, dot))) {
        section = key.path.substring(0, dot);
        out.append(section).append(":\n");
      }
      out.append("  ").append(key.path.substring(dot + 1)).append(": ");
      out.append(scalar(key, value(key, config))).append('\n');
    }
    return out.toString();
  }

  static String referencePage() {
    final StringBuilder out = new StringBuilder();
    out.append(
        """
        # Configuration of a node

        A node reads one YAML file (`--config FILE`), then environment variables, then `--set key=value`;
        the later one wins. `kvasir node --print-config` shows what is in force. An unknown key, a bad
        value or two values that contradict each other stop the start, all of them named at once. Sizes are
        bytes, or have a unit: `64KiB`, `512MiB`, `1.5GiB`. Lists are YAML lists, or texts with commas.

        This page is generated from the table in the code; a test keeps it current.

        | key | environment variable | default | meaning |
        |---|---|---|---|
        """);
    for (final ConfigKey key : ConfigKey.values()) {
      out.append("| `").append(key.path).append("` | `").append(key.environmentName());
      out.append("` | ");
      out.append(key.defaultText.isEmpty() ? "empty" : "`" + key.defaultText + "`");
      out.append(" | ").append(key.description).append(" |\n");
    }
    return out.toString();
  }

  private static Object value(final ConfigKey key, final NodeConfig config) {
    return switch (key) {
      case NODE_NAME -> config.node().name();
      case NODE_RUN_DIR -> config.node().runDir();
      case NODE_ZONE -> config.node().zone();
      case CLUSTER_NAME -> config.cluster().name();
      case CLUSTER_BIND -> config.cluster().bind();
      case CLUSTER_DISCOVERY_PORT -> config.cluster().discoveryPort();
      case CLUSTER_COMMUNICATION_PORT -> config.cluster().communicationPort();
      case CLUSTER_SEEDS -> config.cluster().seeds();
      case CLUSTER_VOTERS -> config.cluster().voters();
      case TRANSPORT_PORT -> config.transport().port();
      case TRANSPORT_MTU -> config.transport().mtu();
      case TRANSPORT_TERM_BYTES -> config.transport().termBytes();
      case TRANSPORT_WINDOW_BYTES -> config.transport().windowBytes();
      case TRANSPORT_AERON_DIR -> config.transport().aeronDir();
      case TRANSPORT_EXTERNAL_DRIVER -> config.transport().externalDriver();
      case TRANSPORT_SAME_HOST -> config.transport().sameHost();
      case TRANSPORT_DEMAND_BYTES_PER_SECOND -> config.transport().demandBytesPerSecond();
      case TRANSPORT_HANDOFF_BYTES_PER_SECOND -> config.transport().handoffBytesPerSecond();
      case STORE_SLAB_DIR -> config.store().slabDir();
      case STORE_SLAB_BYTES -> config.store().slabBytes();
      case STORE_SEGMENT_BYTES -> config.store().segmentBytes();
      case STORE_MAX_CHUNKS -> config.store().maxChunks();
      case STORE_OWNER_SHARE -> config.store().ownerShare();
      case STORE_EVICTION_POLICY -> config.store().evictionPolicy();
      case STORE_HIGH_WATERMARK -> config.store().highWatermark();
      case STORE_LOW_WATERMARK -> config.store().lowWatermark();
      case INDEX_MEMORY_BYTES -> config.index().memoryBytes();
      case SECURITY_INSECURE -> config.security().insecure();
    };
  }

  private static String scalar(final ConfigKey key, final Object value) {
    final Function<Object, String> quoted =
        text -> "\"" + text.toString().replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    if (value instanceof List<?> list) {
      return "[" + String.join(", ", list.stream().map(quoted).toList()) + "]";
    }
    return switch (key.kind) {
      case SIZE, RATE -> ByteSize.format(((Number) value).longValue());
      case NAME, HOST, PATH -> quoted.apply(value);
      default -> value.toString();
    };
  }
}
