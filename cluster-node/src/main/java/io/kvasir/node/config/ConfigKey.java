package io.kvasir.node.config;

import java.util.Locale;

/**
 * Every configuration key: the one table from which files, environment variables and overrides are
 * read, the effective configuration is printed and {@code docs/reference/config.md} is generated.
 *
 * <p>A default of {@code auto} is derived from other values; the description says how.
 */
enum ConfigKey {
  NODE_NAME(
      "node.name",
      Kind.NAME,
      "node",
      "Name of the node, unique in the cluster: 1 to 63 letters, digits, dots, dashes"
          + " or underscores"),
  NODE_RUN_DIR(
      "node.run-dir",
      Kind.PATH,
      "auto",
      "Directory of the lock file, engine.sock and node.json; auto: /tmp/kvasir-UID/NAME"),
  NODE_ZONE(
      "node.zone",
      Kind.NAME,
      "default",
      "Failure domain; copies of an index entry go to different zones while they can"),
  CLUSTER_NAME(
      "cluster.name",
      Kind.NAME,
      "kvasir",
      "Nodes of different cluster names never join each other"),
  CLUSTER_BIND(
      "cluster.bind",
      Kind.HOST,
      "127.0.0.1",
      "Address for membership, index and transfers; other than loopback needs security.insecure"),
  CLUSTER_DISCOVERY_PORT(
      "cluster.discovery-port", Kind.PORT, "47500", "TCP port of membership; 0: any free port"),
  CLUSTER_COMMUNICATION_PORT(
      "cluster.communication-port",
      Kind.PORT,
      "47100",
      "TCP port of announcements and of the index's own messages; 0: any free port"),
  CLUSTER_SEEDS(
      "cluster.seeds",
      Kind.ENDPOINTS,
      "",
      "host:port of members to join through (their discovery ports); empty: start alone"),
  CLUSTER_VOTERS(
      "cluster.voters",
      Kind.NAMES,
      "",
      "Names of the 1, 3, 5 or 7 nodes that will decide membership questions; checked and told to"
          + " others, but not used yet: nothing guards against a split"),
  TRANSPORT_PORT(
      "transport.port",
      Kind.PORT,
      "20121",
      "UDP port of chunk transfers and lookups; 0: any free port"),
  TRANSPORT_MTU(
      "transport.mtu",
      Kind.SIZE,
      "auto",
      "Largest datagram in bytes, a multiple of 32; auto: 65504 on loopback, else 1408"),
  TRANSPORT_TERM_BYTES(
      "transport.term-bytes",
      Kind.SIZE,
      "2MiB",
      "Log buffer term, a power of two; three terms per connection and direction"),
  TRANSPORT_WINDOW_BYTES(
      "transport.window-bytes",
      Kind.SIZE,
      "1MiB",
      "Receiver window; cut to what the system grants as socket buffer and to half a term"),
  TRANSPORT_AERON_DIR(
      "transport.aeron-dir",
      Kind.PATH,
      "auto",
      "Directory of the media driver; auto: aeron in store.slab-dir"),
  TRANSPORT_EXTERNAL_DRIVER(
      "transport.external-driver",
      Kind.FLAG,
      "false",
      "Use the media driver that already runs in transport.aeron-dir"),
  TRANSPORT_SAME_HOST(
      "transport.same-host",
      Kind.FLAG,
      "true",
      "Nodes of one host and user read chunks from each other's slab instead of sending them"),
  TRANSPORT_DEMAND_BYTES_PER_SECOND(
      "transport.demand-bytes-per-second",
      Kind.RATE,
      "0",
      "Most this node sends for chunks that requests on other nodes wait for, at least"
          + " 64KiB; 0: no cap"),
  TRANSPORT_HANDOFF_BYTES_PER_SECOND(
      "transport.handoff-bytes-per-second",
      Kind.RATE,
      "0",
      "Most this node sends for hand-offs to decode nodes, at least 64KiB; 0: no cap"),
  STORE_SLAB_DIR(
      "store.slab-dir",
      Kind.PATH,
      "auto",
      "Directory of slab segments, slot table and directory; auto:" + " /dev/shm/kvasir-UID-NAME"),
  STORE_SLAB_BYTES("store.slab-bytes", Kind.SIZE, "1GiB", "Memory for chunks"),
  STORE_SEGMENT_BYTES(
      "store.segment-bytes",
      Kind.SIZE,
      "auto",
      "Size of one slab file, at most 1GiB; no chunk is larger; auto: 1GiB or the slab if smaller"),
  STORE_MAX_CHUNKS(
      "store.max-chunks",
      Kind.COUNT,
      "auto",
      "Most chunks the node keeps, 128 bytes each in the slot table; auto: one per 64KiB of slab,"
          + " at least 1024"),
  STORE_OWNER_SHARE(
      "store.owner-share",
      Kind.SHARE,
      "0.5",
      "Part of the slab that one engine may hold by pins and reservations"),
  STORE_EVICTION_POLICY(
      "store.eviction-policy", Kind.POLICY, "lru", "Which chunk goes first: lru or s3fifo"),
  STORE_HIGH_WATERMARK(
      "store.high-watermark", Kind.SHARE, "0.95", "Fill level at which eviction starts"),
  STORE_LOW_WATERMARK(
      "store.low-watermark", Kind.SHARE, "0.9", "Fill level at which eviction stops"),
  INDEX_MEMORY_BYTES(
      "index.memory-bytes",
      Kind.SIZE,
      "256MiB",
      "Most memory for this node's part of the cluster's index"),
  SECURITY_INSECURE(
      "security.insecure",
      Kind.FLAG,
      "false",
      "Allow cluster.bind on an address that other hosts can reach, without TLS and tokens");

  /** What a value looks like; the sentence is printed when one does not. */
  enum Kind {
    NAME("1 to 63 letters, digits, '.', '-' or '_'"),
    NAMES("a list of names"),
    HOST("a host name or address"),
    ENDPOINTS("a list of host:port"),
    PATH("an absolute path"),
    PORT("0 or a number from 1024 to 65535"),
    SIZE("a number of bytes above 0, for example 4096, 64KiB, 512MiB or 1.5GiB"),
    RATE("0 or a number of bytes in a second, for example 512KiB, 100MiB or 1.5GiB"),
    COUNT("a whole number above 0"),
    SHARE("a number above 0 and at most 1"),
    FLAG("true or false"),
    POLICY("lru or s3fifo");

    final String wanted;

    Kind(final String wanted) {
      this.wanted = wanted;
    }
  }

  /** Text of a default that is derived from other values. */
  static final String AUTO = "auto";

  final String path;
  final Kind kind;
  final String defaultText;
  final String description;

  ConfigKey(
      final String path, final Kind kind, final String defaultText, final String description) {
    this.path = path;
    this.kind = kind;
    this.defaultText = defaultText;
    this.description = description;
  }

  /** {@code store.slab-bytes} is {@code KVASIR_STORE_SLAB_BYTES} in the environment. */
  String environmentName() {
    return "KVASIR_" + path.toUpperCase(Locale.ROOT).replace('.', '_').replace('-', '_');
  }

  boolean isList() {
    return kind == Kind.NAMES || kind == Kind.ENDPOINTS;
  }
}
