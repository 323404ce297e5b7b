package io.kvasir.node.config;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * Turns the collected texts into a {@link NodeConfig}. A bad value is noted and replaced by
 * something harmless, so that the rest is still checked; the caller throws when anything was noted.
 */
final class ConfigReader {
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
  private static final long SEGMENT_BYTES_MAX = 1L << 30;
  private static final long PAGE_BYTES = 4096;
  private static final long BYTES_PER_CHUNK_GUESS = 64 << 10;
  private static final int CHUNKS_MIN = 1024;
  private static final int CHUNKS_MAX = 1 << 24;
  private static final int MTU_LOOPBACK = 65_504;
  private static final int MTU_NETWORK = 1_408;
  private static final int TERM_BYTES_MIN = 256 << 10;
  private static final int TERM_BYTES_MAX = 1 << 30;
  private static final long INDEX_BYTES_MIN = 32L << 20;
  private static final long RATE_MIN = 64 << 10;
  private static final long RATE_MAX = 1L << 40;
  private static final int PORT_MIN = 1024;

  /** The kernel's limit for the path of a Unix-domain socket. */
  private static final int SOCKET_PATH_BYTES_MAX = 107;

  private static final String SOCKET_NAME = "engine.sock";

  private final Map<ConfigKey, String> texts;
  private final List<String> problems;

  ConfigReader(final Map<ConfigKey, String> texts, final List<String> problems) {
    this.texts = texts;
    this.problems = problems;
  }

  NodeConfig read() {
    final String name = name(ConfigKey.NODE_NAME);
    final NodeConfig.Security security = new NodeConfig.Security(flag(ConfigKey.SECURITY_INSECURE));
    final NodeConfig.Cluster cluster = cluster(security);
    final NodeConfig.Store store = store(name);
    return new NodeConfig(
        new NodeConfig.Node(name, runDir(name), name(ConfigKey.NODE_ZONE)),
        cluster,
        transport(cluster, store),
        store,
        new NodeConfig.Index(size(ConfigKey.INDEX_MEMORY_BYTES, 0, INDEX_BYTES_MIN, 1L << 40)),
        security);
  }

  private Path runDir(final String name) {
    final Path runDir = path(ConfigKey.NODE_RUN_DIR, Path.of("/tmp", "kvasir-" + userId(), name));
    final int socketPathBytes =
        runDir.resolve(SOCKET_NAME).toString().getBytes(StandardCharsets.UTF_8).length;
    if (socketPathBytes > SOCKET_PATH_BYTES_MAX) {
      problems.add(
          "node.run-dir="
              + runDir
              + " is too long for the socket "
              + SOCKET_NAME
              + " in it: "
              + socketPathBytes
              + " bytes (limit="
              + SOCKET_PATH_BYTES_MAX
              + ")");
    }
    return runDir;
  }

  private NodeConfig.Cluster cluster(final NodeConfig.Security security) {
    final String bind = text(ConfigKey.CLUSTER_BIND).strip();
    if (!isLoopback(bind) && !security.insecure()) {
      problems.add(
          "cluster.bind="
              + bind
              + " is not a loopback address and there is no TLS yet; bind to 127.0.0.1, or accept"
              + " open ports by security.insecure=true");
    }
    final List<String> voters = list(ConfigKey.CLUSTER_VOTERS);
    for (final String voter : voters) {
      if (!NAME.matcher(voter).matches()) {
        bad(ConfigKey.CLUSTER_VOTERS, voter);
      }
    }
    if (new HashSet<>(voters).size() != voters.size()) {
      problems.add("cluster.voters=" + String.join(",", voters) + " names a node twice");
    }
    if (!voters.isEmpty() && (voters.size() % 2 == 0 || voters.size() > 7)) {
      problems.add("cluster.voters has " + voters.size() + " names and must have 1, 3, 5 or 7");
    }
    return new NodeConfig.Cluster(
        name(ConfigKey.CLUSTER_NAME),
        bind,
        port(ConfigKey.CLUSTER_DISCOVERY_PORT),
        port(ConfigKey.CLUSTER_COMMUNICATION_PORT),
        endpoints(),
        voters);
  }

  private NodeConfig.Transport transport(
      final NodeConfig.Cluster cluster, final NodeConfig.Store store) {
    final int mtu =
        (int)
            size(
                ConfigKey.TRANSPORT_MTU,
                isLoopback(cluster.bind()) ? MTU_LOOPBACK : MTU_NETWORK,
                MTU_NETWORK,
                MTU_LOOPBACK);
    if (mtu % 32 != 0) {
      problems.add("transport.mtu=" + mtu + " must be a multiple of 32");
    }
    final int termBytes =
        (int) size(ConfigKey.TRANSPORT_TERM_BYTES, 0, TERM_BYTES_MIN, TERM_BYTES_MAX);
    if (Integer.bitCount(termBytes) != 1) {
      problems.add("transport.term-bytes=" + termBytes + " must be a power of two");
    }
    final int windowBytes =
        (int) size(ConfigKey.TRANSPORT_WINDOW_BYTES, 0, MTU_LOOPBACK, TERM_BYTES_MAX);
    if (windowBytes > termBytes / 2) {
      problems.add(
          "transport.window-bytes="
              + windowBytes
              + " must not exceed half of transport.term-bytes="
              + termBytes);
    }
    return new NodeConfig.Transport(
        port(ConfigKey.TRANSPORT_PORT),
        mtu,
        termBytes,
        windowBytes,
        path(ConfigKey.TRANSPORT_AERON_DIR, store.slabDir().resolve("aeron")),
        flag(ConfigKey.TRANSPORT_EXTERNAL_DRIVER),
        flag(ConfigKey.TRANSPORT_SAME_HOST),
        rate(ConfigKey.TRANSPORT_DEMAND_BYTES_PER_SECOND),
        rate(ConfigKey.TRANSPORT_HANDOFF_BYTES_PER_SECOND));
  }

  private NodeConfig.Store store(final String name) {
    final long slabBytes = size(ConfigKey.STORE_SLAB_BYTES, 0, 1L << 20, 1L << 46);
    final long segmentBytes =
        size(
            ConfigKey.STORE_SEGMENT_BYTES,
            Math.min(slabBytes, SEGMENT_BYTES_MAX),
            1L << 20,
            SEGMENT_BYTES_MAX);
    if (slabBytes % PAGE_BYTES != 0 || segmentBytes % PAGE_BYTES != 0) {
      problems.add(
          "store.slab-bytes="
              + slabBytes
              + " and store.segment-bytes="
              + segmentBytes
              + " must be multiples of "
              + PAGE_BYTES);
    }
    if (segmentBytes > slabBytes) {
      problems.add(
          "store.segment-bytes=" + segmentBytes + " must not exceed store.slab-bytes=" + slabBytes);
    }
    final double high = share(ConfigKey.STORE_HIGH_WATERMARK);
    final double low = share(ConfigKey.STORE_LOW_WATERMARK);
    if (low > high) {
      problems.add("store.low-watermark=" + low + " must not exceed store.high-watermark=" + high);
    }
    final String policy = text(ConfigKey.STORE_EVICTION_POLICY).strip();
    if (!policy.equals("lru") && !policy.equals("s3fifo")) {
      bad(ConfigKey.STORE_EVICTION_POLICY, policy);
    }
    return new NodeConfig.Store(
        path(ConfigKey.STORE_SLAB_DIR, Path.of("/dev/shm", "kvasir-" + userId() + "-" + name)),
        slabBytes,
        segmentBytes,
        maxChunks(slabBytes),
        share(ConfigKey.STORE_OWNER_SHARE),
        policy,
        high,
        low);
  }

  private int maxChunks(final long slabBytes) {
    final String text = text(ConfigKey.STORE_MAX_CHUNKS).strip();
    if (text.equals(ConfigKey.AUTO)) {
      return Math.clamp(slabBytes / BYTES_PER_CHUNK_GUESS, CHUNKS_MIN, CHUNKS_MAX);
    }
    final long count = parse(ConfigKey.STORE_MAX_CHUNKS, text, Long::parseLong, 1L);
    if (count < 1 || count > CHUNKS_MAX) {
      bad(ConfigKey.STORE_MAX_CHUNKS, text + " (limit=" + CHUNKS_MAX + ")");
      return 1;
    }
    return (int) count;
  }

  private String text(final ConfigKey key) {
    return texts.getOrDefault(key, key.defaultText);
  }

  private String name(final ConfigKey key) {
    final String text = text(key).strip();
    if (!NAME.matcher(text).matches()) {
      bad(key, text);
      return key.defaultText;
    }
    return text;
  }

  private List<String> list(final ConfigKey key) {
    final List<String> values = new ArrayList<>();
    for (final String part : text(key).split(",", -1)) {
      if (!part.isBlank()) {
        values.add(part.strip());
      }
    }
    return values;
  }

  private List<String> endpoints() {
    final List<String> seeds = list(ConfigKey.CLUSTER_SEEDS);
    for (final String seed : seeds) {
      final int colon = seed.lastIndexOf(':');
      final String port = colon > 0 ? seed.substring(colon + 1) : "";
      if (!port.matches("[0-9]{1,5}")
          || Integer.parseInt(port) < 1
          || Integer.parseInt(port) > 65_535) {
        bad(ConfigKey.CLUSTER_SEEDS, seed);
      }
    }
    return seeds;
  }

  private Path path(final ConfigKey key, final Path derived) {
    final String text = text(key).strip();
    if (text.equals(ConfigKey.AUTO)) {
      return derived;
    }
    try {
      final Path path = Path.of(text);
      if (path.isAbsolute()) {
        return path.normalize();
      }
    } catch (final InvalidPathException e) {
      problems.add(key.path + "=" + text + " is not a path: " + e.getReason());
      return derived;
    }
    bad(key, text);
    return derived;
  }

  private int port(final ConfigKey key) {
    final String text = text(key).strip();
    final int port = parse(key, text, Integer::parseInt, 0);
    if (port != 0 && (port < PORT_MIN || port > 65_535)) {
      bad(key, text);
      return 0;
    }
    return port;
  }

  private long size(
      final ConfigKey key, final long derived, final long minBytes, final long maxBytes) {
    final String text = text(key).strip();
    if (text.equals(ConfigKey.AUTO)) {
      return derived;
    }
    final long bytes = parse(key, text, ByteSize::parse, minBytes);
    if (bytes < minBytes || bytes > maxBytes) {
      problems.add(
          key.path
              + "="
              + text
              + " is out of range (limit="
              + ByteSize.format(minBytes)
              + ".."
              + ByteSize.format(maxBytes)
              + ")");
      return minBytes;
    }
    return bytes;
  }

  private long rate(final ConfigKey key) {
    final String text = text(key).strip();
    return text.equals("0") ? 0 : size(key, 0, RATE_MIN, RATE_MAX);
  }

  private double share(final ConfigKey key) {
    final String text = text(key).strip();
    final double share = parse(key, text, Double::parseDouble, 1.0);
    if (!(share > 0 && share <= 1)) {
      bad(key, text);
      return Double.parseDouble(key.defaultText);
    }
    return share;
  }

  private boolean flag(final ConfigKey key) {
    final String text = text(key).strip();
    if (!text.equals("true") && !text.equals("false")) {
      bad(key, text);
    }
    return text.equals("true");
  }

  private <T> T parse(
      final ConfigKey key, final String text, final Function<String, T> parser, final T otherwise) {
    try {
      return parser.apply(text);
    } catch (final IllegalArgumentException e) {
      bad(key, text);
      return otherwise;
    }
  }

  private void bad(final ConfigKey key, final String text) {
    problems.add(key.path + "=" + text + " is not " + key.kind.wanted);
  }

  /** Only literal addresses and "localhost" are looked at, so that no name leaves the machine. */
  private boolean isLoopback(final String host) {
    if (host.equals("localhost")) {
      return true;
    }
    if (!host.matches("[0-9.]+|[0-9A-Fa-f:.%]*:[0-9A-Za-z:.%]*")) {
      return false;
    }
    try {
      return InetAddress.getByName(host).isLoopbackAddress();
    } catch (final UnknownHostException e) {
      return false;
    }
  }

  private String userId() {
    try {
      return Files.getAttribute(Path.of("/proc/self"), "unix:uid").toString();
    } catch (final IOException e) {
      problems.add("the user id cannot be read from /proc/self - " + e.getMessage());
      return "unknown";
    }
  }
}
