package io.kvasir.cli.doctor;

import io.kvasir.cli.doctor.PortCheck.Protocol;
import io.kvasir.cli.doctor.SpaceCheck.Need;
import io.kvasir.node.NodeInfo;
import io.kvasir.node.config.ConfigException;
import io.kvasir.node.config.NodeConfig;
import io.kvasir.node.engine.EngineEndpoint;
import io.kvasir.node.store.StoreConfig;
import io.kvasir.node.store.StoreFootprint;
import io.kvasir.transport.TransportConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Checks whether this machine can run a node of a configuration. */
public final class Doctor {
  private static final HostFiles HOST = new HostFiles(Path.of("/"));
  private static final FileSystems FILE_SYSTEMS = FileSystems.local();

  /** What an embedded media driver writes beside log buffers: counters, rings, reports. */
  private static final long DRIVER_BYTES = 16L << 20;

  private Doctor() {}

  /**
   * Runs all checks; those that need the configuration only if it is accepted.
   *
   * @param file YAML file, or null for none
   * @param environment as in {@link NodeConfig#load}
   * @param overrides as in {@link NodeConfig#load}
   */
  public static DoctorReport examine(
      @Nullable Path file, Map<String, String> environment, List<String> overrides)
      throws IOException {
    List<Check> checks = new ArrayList<>();
    checks.add(JdkCheck.ofThisJvm());
    checks.add(JvmFlagsCheck.ofThisJvm());
    checks.add(new LockedMemoryCheck(HOST));
    try {
      NodeConfig config = NodeConfig.load(file, environment, overrides);
      checks.add(new ConfigCheck.Accepted(config));
      addStoreChecks(checks, config);
      addNetworkChecks(checks, config);
    } catch (ConfigException e) {
      checks.add(new ConfigCheck.Refused(String.valueOf(e.getMessage())));
    }
    return DoctorReport.of(checks);
  }

  private static void addStoreChecks(List<Check> checks, NodeConfig config) throws IOException {
    NodeConfig.Store store = config.store();
    Path runDir = config.node().runDir();
    checks.add(new DirectoryCheck("run-dir", "node.run-dir", runDir, StoreConfig.RUN_LOCK_FILE));
    checks.add(new SocketPathCheck(runDir.resolve(EngineEndpoint.SOCKET_NAME)));
    checks.add(
        new DirectoryCheck(
            "slab-dir", "store.slab-dir", store.slabDir(), StoreConfig.SLAB_LOCK_FILE));
    List<Need> slabNeeds = new ArrayList<>();
    StoreFootprint footprint = StoreFootprint.of(store.slabBytes(), store.maxChunks());
    slabNeeds.add(new Need("slab", footprint.slabBytes()));
    slabNeeds.add(new Need("slot table", footprint.slotTableBytes()));
    slabNeeds.add(new Need("directory", footprint.directoryBytes()));
    Path aeronDir = config.transport().aeronDir();
    if (!config.transport().externalDriver()) {
      List<Need> driverNeeds = driverNeeds(config);
      if (FILE_SYSTEMS.same(store.slabDir(), aeronDir)) {
        slabNeeds.addAll(driverNeeds);
      } else {
        checks.add(new SpaceCheck("aeron-space", aeronDir, driverNeeds, FILE_SYSTEMS));
      }
    }
    checks.add(new SpaceCheck("slab-space", store.slabDir(), slabNeeds, FILE_SYSTEMS));
    long slabInMemory = FILE_SYSTEMS.under(store.slabDir()).isMemory() ? store.slabBytes() : 0;
    checks.add(new MemoryCheck(HOST, slabInMemory + config.index().memoryBytes()));
    checks.add(new OpenFilesCheck(HOST, segments(store)));
  }

  private static void addNetworkChecks(List<Check> checks, NodeConfig config) {
    NodeConfig.Cluster cluster = config.cluster();
    NodeConfig.Transport transport = config.transport();
    NodeInfo running = runningNode(config.node().runDir());
    checks.add(
        new AddressCheck(
            cluster.bind(), cluster.seeds(), transport.mtu(), AddressCheck.Interfaces::local));
    checks.add(
        new PortCheck(
            "discovery-port",
            "cluster.discovery-port",
            Protocol.TCP,
            cluster.bind(),
            cluster.discoveryPort(),
            running == null ? 0 : running.discoveryPort()));
    checks.add(
        new PortCheck(
            "communication-port",
            "cluster.communication-port",
            Protocol.TCP,
            cluster.bind(),
            cluster.communicationPort(),
            running == null ? 0 : running.communicationPort()));
    checks.add(
        new PortCheck(
            "transport-port",
            "transport.port",
            Protocol.UDP,
            cluster.bind(),
            transport.port(),
            running == null ? 0 : portOf(running.transportEndpoint())));
    checks.add(new SocketBufferCheck(HOST, transport.windowBytes(), transport.mtu()));
  }

  private static List<Need> driverNeeds(NodeConfig config) {
    // Any other member may pull or serve; those that are not named are not known here.
    Set<String> named = new HashSet<>(config.cluster().seeds());
    int peers = Math.max(1, Math.max(named.size(), config.cluster().voters().size() - 1));
    return List.of(
        new Need("media driver", DRIVER_BYTES),
        new Need(
            "log buffers for " + peers + (peers == 1 ? " peer" : " peers"),
            TransportConfig.logBufferBytes(config.transport().termBytes(), peers)));
  }

  private static int segments(NodeConfig.Store store) {
    return Math.toIntExact(Math.ceilDiv(store.slabBytes(), store.segmentBytes()));
  }

  /** The node that has this run directory now, if any: its ports are not free, but its own. */
  private static @Nullable NodeInfo runningNode(Path runDir) {
    try {
      NodeInfo info = NodeInfo.read(runDir);
      return ProcessHandle.of(info.pid()).map(ProcessHandle::isAlive).orElse(false) ? info : null;
    } catch (IOException e) {
      return null;
    }
  }

  private static int portOf(String endpoint) {
    String port = endpoint.substring(endpoint.lastIndexOf(':') + 1);
    return port.matches("[0-9]{1,5}") ? Integer.parseInt(port) : 0;
  }
}
