package io.kvasir.node.index;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.apache.ignite.cache.CacheAtomicityMode;
import org.apache.ignite.cache.CacheMode;
import org.apache.ignite.cache.CacheRebalanceMode;
import org.apache.ignite.cache.CacheWriteSynchronizationMode;
import org.apache.ignite.cache.PartitionLossPolicy;
import org.apache.ignite.configuration.CacheConfiguration;
import org.apache.ignite.configuration.DataPageEvictionMode;
import org.apache.ignite.configuration.DataRegionConfiguration;
import org.apache.ignite.configuration.DataStorageConfiguration;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.events.EventType;
import org.apache.ignite.failure.StopNodeFailureHandler;
import org.apache.ignite.plugin.segmentation.SegmentationPolicy;
import org.apache.ignite.spi.communication.tcp.TcpCommunicationSpi;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;
import org.apache.ignite.spi.discovery.tcp.ipfinder.vm.TcpDiscoveryVmIpFinder;
import org.apache.ignite.spi.metric.noop.NoopMetricExporterSpi;

/** How Ignite runs inside a node: small, silent, two ports, nothing that is not the index. */
final class IgniteSettings {
  static final String CACHE = "kvasir-index";

  private static final String REGION = "kvasir-index";
  private static final String ALLOW_LIST = "io/kvasir/node/index/ignite-allowed-classes.txt";
  private static final long REGION_BYTES_INITIAL = 16L << 20;
  private static final long SYSTEM_REGION_BYTES = 16L << 20;

  private IgniteSettings() {}

  /**
   * Ignite reads these once, when its classes load, so they are set before the first of them is
   * touched.
   */
  static void setSystemProperties() {
    System.setProperty("IGNITE_MARSHALLER_WHITELIST", ALLOW_LIST);
    System.setProperty("IGNITE_UPDATE_NOTIFIER", "false");
    System.setProperty("IGNITE_NO_ASCII", "true");
    System.setProperty("IGNITE_PERFORMANCE_SUGGESTIONS_DISABLED", "true");
    // The node stops its parts in its own order.
    System.setProperty("IGNITE_NO_SHUTDOWN_HOOK", "true");
    // Removed entries are remembered on the heap against late updates; 200,000 by default.
    System.setProperty("IGNITE_ATOMIC_CACHE_DELETE_HISTORY_SIZE", "16384");
  }

  static IgniteConfiguration configuration(final IndexConfig config, final int protocolVersion) {
    final IgniteConfiguration ignite = new IgniteConfiguration();
    ignite.setIgniteInstanceName(instanceName(config));
    ignite.setConsistentId(Long.toHexString(config.nodeId()));
    ignite.setWorkDirectory(config.workDirectory().toAbsolutePath().toString());
    ignite.setGridLogger(new IgniteLog());
    ignite.setUserAttributes(MemberAttributes.of(config, protocolVersion));
    ignite.setPluginProviders(new JoinCheck(config.clusterName(), protocolVersion));
    // By default every environment variable and system property would travel to all members.
    ignite.setIncludeProperties();
    ignite.setLocalHost(config.bindAddress());
    ignite.setDiscoverySpi(discovery(config));
    ignite.setCommunicationSpi(communication(config));
    ignite.setConnectorConfiguration(null);
    ignite.setClientConnectorConfiguration(null);
    ignite.setPeerClassLoadingEnabled(false);
    ignite.setMetricExporterSpi(new NoopMetricExporterSpi());
    ignite.setMetricsLogFrequency(0);
    ignite.setIncludeEventTypes(
        EventType.EVT_NODE_JOINED, EventType.EVT_NODE_LEFT, EventType.EVT_NODE_FAILED);
    // Ignite may stop itself, the process lives on and rejoins; the default handler may halt the
    // JVM.
    ignite.setSegmentationPolicy(SegmentationPolicy.STOP);
    ignite.setFailureHandler(new StopNodeFailureHandler());
    ignite.setDataStorageConfiguration(storage(config));
    ignite.setCacheConfiguration(cache());
    smallPools(ignite);
    return ignite;
  }

  static String instanceName(final IndexConfig config) {
    return "kvasir-" + Long.toHexString(config.nodeId());
  }

  private static TcpDiscoverySpi discovery(final IndexConfig config) {
    final Set<String> addresses = new LinkedHashSet<>(config.seeds());
    addresses.add(endpoint(config.bindAddress(), config.discoveryPort()));
    final TcpDiscoverySpi discovery = new GuardedDiscovery();
    discovery.setLocalAddress(config.bindAddress());
    discovery.setLocalPort(config.discoveryPort());
    discovery.setLocalPortRange(0);
    discovery.setIpFinder(new TcpDiscoveryVmIpFinder(false).setAddresses(List.copyOf(addresses)));
    return discovery;
  }

  static String endpoint(final String host, final int port) {
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
  }

  private static TcpCommunicationSpi communication(final IndexConfig config) {
    final TcpCommunicationSpi communication = new GuardedCommunication();
    communication.setLocalAddress(config.bindAddress());
    communication.setLocalPort(config.communicationPort());
    communication.setLocalPortRange(0);
    communication.setSelectorsCount(1);
    return communication;
  }

  private static DataStorageConfiguration storage(final IndexConfig config) {
    final DataRegionConfiguration region = new DataRegionConfiguration();
    region.setName(REGION);
    region.setInitialSize(Math.min(REGION_BYTES_INITIAL, config.memoryBytes()));
    region.setMaxSize(config.memoryBytes());
    // A full region without eviction stops the node; an evicted hint costs a miss.
    region.setPageEvictionMode(DataPageEvictionMode.RANDOM_LRU);
    final DataStorageConfiguration storage = new DataStorageConfiguration();
    storage.setDefaultDataRegionConfiguration(region);
    storage
        .getSystemDataRegionConfiguration()
        .setInitialSize(SYSTEM_REGION_BYTES)
        .setMaxSize(SYSTEM_REGION_BYTES);
    return storage;
  }

  private static CacheConfiguration<byte[], byte[]> cache() {
    final CacheConfiguration<byte[], byte[]> cache = new CacheConfiguration<>(CACHE);
    cache.setAtomicityMode(CacheAtomicityMode.ATOMIC);
    cache.setCacheMode(CacheMode.PARTITIONED);
    cache.setBackups(1);
    final GroupAffinity affinity = new GroupAffinity();
    cache.setAffinity(affinity);
    cache.setAffinityMapper(affinity);
    // An announcement is known once the primary has it, and lookups ask the primary first: what one
    // node was told is indexed, every other node finds. The backup follows by itself; if the
    // primary
    // dies in between, the entry is lost until its holder announces again, which costs a miss.
    cache.setWriteSynchronizationMode(CacheWriteSynchronizationMode.PRIMARY_SYNC);
    cache.setRebalanceMode(CacheRebalanceMode.ASYNC);
    // Lost partitions come back empty and usable; the holders fill them again.
    cache.setPartitionLossPolicy(PartitionLossPolicy.IGNORE);
    cache.setCopyOnRead(false);
    // Announcements have a limit of their own; this one blocks the caller.
    cache.setMaxConcurrentAsyncOperations(0);
    cache.setStatisticsEnabled(false);
    cache.setEventsDisabled(true);
    return cache;
  }

  private static void smallPools(final IgniteConfiguration ignite) {
    ignite.setSystemThreadPoolSize(4);
    ignite.setStripedPoolSize(2);
    ignite.setPublicThreadPoolSize(1);
    ignite.setServiceThreadPoolSize(1);
    ignite.setManagementThreadPoolSize(1);
    ignite.setAsyncCallbackPoolSize(1);
    ignite.setDataStreamerThreadPoolSize(1);
    ignite.setUtilityCachePoolSize(1);
    ignite.setQueryThreadPoolSize(1);
    ignite.setRebalanceThreadPoolSize(1);
    ignite.setBuildIndexThreadPoolSize(1);
    ignite.setSnapshotThreadPoolSize(1);
    ignite.setPeerClassLoadingThreadPoolSize(1);
  }
}
