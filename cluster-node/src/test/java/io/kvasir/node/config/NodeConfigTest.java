package io.kvasir.node.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NodeConfigTest {
  @TempDir private Path folder;

  @Test
  void shouldUseDefaultsWhenNothingIsConfigured() throws IOException {
    final Object uid = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    final Path slabDir = Path.of("/dev/shm/kvasir-" + uid + "-node");
    final NodeConfig expected =
        new NodeConfig(
            new NodeConfig.Node("node", Path.of("/tmp/kvasir-" + uid + "/node"), "default"),
            new NodeConfig.Cluster("kvasir", "127.0.0.1", 47_500, 47_100, List.of(), List.of()),
            new NodeConfig.Transport(
                20_121, 65_504, 2 << 20, 1 << 20, slabDir.resolve("aeron"), false, true, 0, 0),
            new NodeConfig.Store(slabDir, 1L << 30, 1L << 30, 16_384, 0.5, "lru", 0.95, 0.9),
            new NodeConfig.Index(256L << 20),
            new NodeConfig.Security(false));
    assertEquals(expected, load(""));
  }

  @Test
  void shouldMapEveryKeyFromEverySourceWhenNoneHasItsDefault() throws Exception {
    final Map<ConfigKey, String> values = otherValues();
    final StringBuilder yaml = new StringBuilder();
    final Map<String, String> environment = new LinkedHashMap<>();
    values.forEach((key, text) -> yaml.append(key.path).append(": '").append(text).append("'\n"));
    values.forEach((key, text) -> environment.put(key.environmentName(), text));
    final List<String> overrides =
        values.entrySet().stream().map(e -> e.getKey().path + "=" + e.getValue()).toList();

    final NodeConfig fromFile = load(yaml.toString());
    assertEquals(fromFile, NodeConfig.load(null, environment, List.of()));
    assertEquals(fromFile, NodeConfig.load(null, Map.of(), overrides));
    final Map<String, Object> set = components(fromFile);
    final Map<String, Object> defaults = components(load(""));
    final TreeSet<String> keys = new TreeSet<>();
    for (final ConfigKey key : ConfigKey.values()) {
      keys.add(key.path);
      assertNotEquals(defaults.get(key.path), set.get(key.path), key.path + " is not mapped");
    }
    assertEquals(keys, new TreeSet<>(set.keySet()), "keys and record components differ");
  }

  @Test
  void shouldReadItsOwnPrintWhenPrintedAsYaml() throws IOException {
    for (final NodeConfig config :
        List.of(
            load(""),
            NodeConfig.load(
                null,
                Map.of(),
                List.of(
                    "cluster.seeds=a:1,b:2",
                    "node.run-dir=/tmp/with \"quote\" and \\",
                    "store.slab-bytes=1503232")))) {
      assertEquals(config, load(config.toYaml()));
    }
  }

  @Test
  void shouldPreferOverrideToEnvironmentToFileWhenAllNameTheKey() throws IOException {
    final Path file = write("node: {name: file, zone: file}\ncluster: {name: file}");
    final NodeConfig config =
        NodeConfig.load(
            file,
            Map.of("KVASIR_NODE_ZONE", "env", "KVASIR_CLUSTER_NAME", "env", "OTHER", "x"),
            List.of("cluster.name=first", "cluster.name=set"));
    assertEquals("file", config.node().name());
    assertEquals("env", config.node().zone());
    assertEquals("set", config.cluster().name());
  }

  @Test
  void shouldNameAllProblemsWhenSeveralValuesAreBad() {
    final ConfigException e =
        assertThrows(
            ConfigException.class,
            () ->
                NodeConfig.load(
                    write("store:\n  slab-byte: 1GiB\nnode: {name: 'a b'}"),
                    Map.of("KVASIR_STORE_SLAB_BITES", "1"),
                    List.of("nonsense", "cluster.discovery-port=70000", "frobnicate=1")));
    final String text = e.toString();
    assertEquals(6, e.problems().size(), text);
    assertTrue(text.contains("KVA-0101 "), text);
    assertTrue(text.contains("did you mean store.slab-bytes?"), text);
    assertTrue(text.contains("did you mean KVASIR_STORE_SLAB_BYTES?"), text);
    assertFalse(text.contains("\n"), "one line");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "node.name=",
        "node.name=../up",
        "node.run-dir=relative",
        "cluster.discovery-port=-1",
        "cluster.discovery-port=x",
        "cluster.discovery-port=80",
        "cluster.seeds=host",
        "cluster.seeds=host:0",
        "cluster.seeds=host:99999",
        "cluster.voters=a,b",
        "cluster.voters=a,a,b",
        "cluster.voters=a,b,c,d,e,f,g,h,i",
        "cluster.bind=0.0.0.0",
        "cluster.bind=192.168.0.1",
        "cluster.bind=::",
        "cluster.bind=example",
        "cluster.bind=999.1.1.1",
        "transport.mtu=1000",
        "transport.mtu=1409",
        "transport.mtu=65536",
        "transport.term-bytes=3MiB",
        "transport.window-bytes=2MiB",
        "transport.external-driver=yes",
        "transport.demand-bytes-per-second=-1",
        "transport.demand-bytes-per-second=65535",
        "transport.handoff-bytes-per-second=fast",
        "transport.handoff-bytes-per-second=2097152GiB",
        "store.slab-bytes=0",
        "store.slab-bytes=-1",
        "store.slab-bytes=1GB",
        "store.slab-bytes=1.0000001GiB",
        "store.slab-bytes=99999999999999999999",
        "store.slab-bytes=1048577",
        "store.segment-bytes=2GiB",
        "store.segment-bytes=1GiB,store.slab-bytes=512MiB",
        "store.max-chunks=0",
        "store.max-chunks=1.5",
        "store.max-chunks=100000000",
        "store.owner-share=0",
        "store.owner-share=1.1",
        "store.owner-share=NaN",
        "store.eviction-policy=random",
        "store.low-watermark=0.99",
        "index.memory-bytes=1",
        "security.insecure=TRUE"
      })
  void shouldRefuseWhenValueIsBad(final String override) {
    final List<String> overrides =
        override.contains(",store.") ? List.of(override.split(",", -1)) : List.of(override);
    final ConfigException e =
        assertThrows(
            ConfigException.class, () -> NodeConfig.load(null, Map.of(), overrides), override);
    assertEquals(1, e.problems().size(), e.toString());
    assertTrue(e.toString().contains(override.substring(0, override.indexOf('='))), e.toString());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "- a\n- b",
        "just text",
        "node: [",
        "node:\n\tname: x",
        "node: {name: a, name: b}",
        "node: {name: {name: {name: {name: {name: x}}}}}",
        "cluster: {seeds: [[a]]}",
        "? [a]\n: b",
        "a: &x {b: *x}",
        "!!javax.script.ScriptEngineManager [x]",
        "\u0000"
      })
  void shouldRefuseWhenFileIsBad(final String yaml) {
    assertThrows(ConfigException.class, () -> load(yaml));
  }

  @Test
  void shouldRefuseWhenFileIsOneEndlessComment() {
    final String yaml = "# " + "x".repeat(1 << 20) + "\nnode: {name: a}\n";
    final ConfigException refused = assertThrows(ConfigException.class, () -> load(yaml));
    assertTrue(refused.toString().contains("too long"), refused.toString());
  }

  @Test
  void shouldTakeTheDefaultsWhenAllKeysOfASectionAreCommentedOut() throws IOException {
    final String yaml = "node:\n  # name: a\nstore: ~\ncluster:\n  name: c\n";
    assertEquals("node", load(yaml).node().name());
  }

  @Test
  void shouldRefuseWhenFileIsMissing() {
    assertThrows(
        ConfigException.class,
        () -> NodeConfig.load(folder.resolve("none.yaml"), Map.of(), List.of()));
  }

  @Test
  void shouldRefuseWhenSocketPathIsTooLong() {
    final String override = "node.run-dir=/tmp/" + "x".repeat(100);
    assertThrows(ConfigException.class, () -> NodeConfig.load(null, Map.of(), List.of(override)));
  }

  @Test
  void shouldBindElsewhereWhenInsecureIsWrittenDown() {
    final NodeConfig config =
        NodeConfig.load(
            null, Map.of(), List.of("cluster.bind=192.168.0.1", "security.insecure=true"));
    assertEquals("192.168.0.1", config.cluster().bind());
    assertEquals(1_408, config.transport().mtu());
  }

  @Test
  void shouldMatchTheReferencePageWhenKeysChange() throws IOException {
    final Path page = Path.of(System.getProperty("kvasir.root"), "docs/reference/config.md");
    assertEquals(
        NodeConfig.referencePage(),
        Files.readString(page),
        "docs/reference/config.md is not current; its text is what NodeConfig.referencePage()"
            + " answers");
  }

  private Map<ConfigKey, String> otherValues() {
    final Map<ConfigKey, String> values = new EnumMap<>(ConfigKey.class);
    for (final ConfigKey key : ConfigKey.values()) {
      values.put(
          key,
          switch (key.kind) {
            case NAME -> "other";
            case NAMES -> "a,b,c";
            case HOST -> "localhost";
            case ENDPOINTS -> "127.0.0.1:1,h:2";
            case PATH -> "/tmp/other";
            case PORT -> "7007";
            case SIZE -> "4MiB";
            case RATE -> "64KiB";
            case COUNT -> "17";
            case SHARE -> "0.25";
            case FLAG -> "true";
            case POLICY -> "s3fifo";
          });
    }
    values.put(ConfigKey.TRANSPORT_MTU, "8KiB");
    values.put(ConfigKey.TRANSPORT_SAME_HOST, "false");
    values.put(ConfigKey.TRANSPORT_WINDOW_BYTES, "2MiB");
    values.put(ConfigKey.INDEX_MEMORY_BYTES, "64MiB");
    values.put(ConfigKey.STORE_SEGMENT_BYTES, "2MiB");
    return values;
  }

  /** {@code store.slab-bytes → value} for every component of the record tree. */
  private static Map<String, Object> components(final NodeConfig config) throws Exception {
    final Map<String, Object> values = new LinkedHashMap<>();
    for (final RecordComponent section : NodeConfig.class.getRecordComponents()) {
      final Object record = section.getAccessor().invoke(config);
      for (final RecordComponent component : record.getClass().getRecordComponents()) {
        final String kebab =
            component.getName().replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
        values.put(section.getName() + "." + kebab, component.getAccessor().invoke(record));
      }
    }
    return values;
  }

  private NodeConfig load(final String yaml) throws IOException {
    return NodeConfig.load(write(yaml), Map.of(), List.of());
  }

  private Path write(final String yaml) throws IOException {
    return Files.writeString(folder.resolve("node.yaml"), yaml);
  }
}
