package io.kvasir.node.local;

import com.fasterxml.jackson.databind.JsonNode;
import io.kvasir.node.NodeMain;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * Node processes on loopback that form one cluster, with everything they write in folders that go
 * with them. The processes run the class path and JVM flags of this JVM; they end when this JVM
 * does, however it ends, unless they were let go of; the folders of a JVM that was killed go when
 * the next cluster starts. Not thread-safe, except for {@link #close}.
 *
 * <pre>{@code
 * try (LocalCluster cluster = LocalCluster.builder().nodes(3).slabBytes(64 << 20).start()) {
 *   engine.connect(cluster.node(0).engineSocket());
 *   cluster.node(1).kill();
 * }
 * }</pre>
 */
public final class LocalCluster implements AutoCloseable {
  private static final Duration START_TIMEOUT = Duration.ofMinutes(3);
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(20);
  private static final Duration POLL = Duration.ofMillis(50);

  private static final String FOLDER_KIND = "kvasir-local-";
  private static final Pattern COLLECTOR = Pattern.compile("-XX:[+-]Use\\w+GC");

  /** What the launcher gives a node beside {@code jvm.options}. */
  private static final List<String> NODE_FLAGS = List.of("-XX:+UseZGC");

  private static final List<String> SHORT_LIVED_FLAGS =
      List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC");

  private final Builder settings;
  private final LocalFolder runs;
  private final LocalFolder slabs;
  private final List<List<String>> commands = new ArrayList<>();
  private final List<LocalNode> nodes = new ArrayList<>();
  private final Thread shutdownHook;
  private boolean closed;

  private LocalCluster(final Builder settings, final LocalFolder runs, final LocalFolder slabs) {
    this.settings = settings;
    this.runs = runs;
    this.slabs = slabs;
    this.shutdownHook = Thread.ofPlatform().name("kvasir-local-stop").unstarted(this::stopAll);
  }

  /** Settings with every default: three nodes of 64 MiB. */
  public static Builder builder() {
    return new Builder();
  }

  /** Number of nodes, dead ones included. */
  public int size() {
    return nodes.size();
  }

  /** The node; after {@link #restart} its new process. */
  public LocalNode node(final int index) {
    return nodes.get(index);
  }

  /** The folder with a run directory per node. */
  public Path directory() {
    return runs.path();
  }

  /** Stops the node in order; its chunks stay for {@link #restart}. */
  public void stop(final int index) {
    nodes.get(index).askToStop();
    endOf(nodes.get(index));
  }

  /** Starts a node again that was stopped or killed, with the same settings. */
  public LocalNode restart(final int index) throws IOException {
    if (nodes.get(index).isAlive()) {
      throw new IllegalStateException("node " + index + " is running");
    }
    final LocalNode node = LocalNode.start(commands.get(index), log(index));
    nodes.set(index, node);
    node.awaitReady(START_TIMEOUT);
    return node;
  }

  /**
   * Waits until every living node sees all living nodes.
   *
   * @throws IOException if they do not in time
   */
  public void awaitMembers(final Duration timeout) throws IOException {
    final long deadlineNs = System.nanoTime() + timeout.toNanos();
    final long living = nodes.stream().filter(LocalNode::isAlive).count();
    for (final LocalNode node : nodes) {
      while (node.isAlive() && members(node) != living) {
        if (System.nanoTime() - deadlineNs > 0) {
          throw new IOException(
              "KVA-0122 nodes do not see each other in time - members="
                  + members(node)
                  + " (expected="
                  + living
                  + ") log="
                  + node.log());
        }
        pause();
      }
    }
  }

  /**
   * Lets go of the nodes: {@link #close} leaves them running with their files, and they outlive
   * this JVM.
   *
   * @throws IOException if the files cannot be let go of; nothing has changed then
   * @throws IllegalStateException if they were not started with {@link Builder#detachable}
   */
  public synchronized void leaveRunning() throws IOException {
    if (!settings.detachable) {
      throw new IllegalStateException("the nodes end with this JVM");
    }
    runs.keep();
    slabs.keep();
    closed = true;
  }

  /**
   * Stops all nodes and deletes their files. Idempotent.
   *
   * @throws IllegalStateException if files could not be deleted
   */
  @Override
  public synchronized void close() {
    stopAll();
    try {
      Runtime.getRuntime().removeShutdownHook(shutdownHook);
    } catch (final IllegalStateException e) {
      // The JVM is ending; the hook has done or does the same.
    }
  }

  private synchronized void stopAll() {
    if (closed) {
      return;
    }
    closed = true;
    nodes.forEach(LocalNode::askToStop);
    nodes.forEach(LocalCluster::endOf);
    try {
      runs.close();
      slabs.close();
    } catch (final IOException e) {
      throw new IllegalStateException(
          "KVA-0123 files not deleted - directory="
              + runs.path()
              + " slabDirectory="
              + slabs.path()
              + "; delete them by hand",
          e);
    }
  }

  private static void endOf(final LocalNode node) {
    if (!node.awaitExit(STOP_TIMEOUT)) {
      node.kill();
    }
  }

  private void startAll() throws IOException {
    final List<Integer> ports = freePorts(settings.nodes);
    final List<String> seeds = ports.stream().map(port -> "127.0.0.1:" + port).toList();
    for (int i = 0; i < settings.nodes; i++) {
      Files.createDirectories(runDirectory(i));
      commands.add(command(i, ports.get(i), String.join(",", seeds)));
      nodes.add(LocalNode.start(commands.get(i), log(i)));
    }
    for (final LocalNode node : nodes) {
      node.awaitReady(START_TIMEOUT);
    }
    awaitMembers(START_TIMEOUT);
  }

  private List<String> command(final int index, final int discoveryPort, final String seeds) {
    final List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    for (final String flag : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (!flag.startsWith("-Xm")
          && !COLLECTOR.matcher(flag).matches()
          && !flag.startsWith("-agentlib")
          && !flag.startsWith("-javaagent")) {
        command.add(flag);
      }
    }
    command.add("-Xmx" + settings.heapBytes);
    command.addAll(settings.isShortLived ? SHORT_LIVED_FLAGS : NODE_FLAGS);
    command.add("-XX:+ExitOnOutOfMemoryError");
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(NodeMain.class.getName());
    if (!settings.detachable) {
      command.add("--stop-on-stdin-eof");
    }
    final List<String> sets = new ArrayList<>();
    sets.add("node.name=" + name(index));
    sets.add("node.run-dir=" + runDirectory(index));
    sets.add("cluster.name=local-" + directory().getFileName());
    sets.add("cluster.discovery-port=" + discoveryPort);
    sets.add("cluster.communication-port=0");
    sets.add("cluster.seeds=" + seeds);
    sets.add("transport.port=0");
    sets.add("store.slab-dir=" + slabs.path().resolve(name(index)));
    sets.add("store.slab-bytes=" + settings.slabBytes);
    sets.add("index.memory-bytes=" + settings.indexBytes);
    sets.add("transport.same-host=" + settings.isSameHost);
    sets.addAll(settings.sets);
    for (final String set : sets) {
      command.add("--set");
      command.add(set);
    }
    return command;
  }

  private static String name(final int index) {
    return "node-" + index;
  }

  private Path runDirectory(final int index) {
    return directory().resolve(name(index));
  }

  private Path log(final int index) {
    return runDirectory(index).resolve("node.log");
  }

  private static int members(final LocalNode node) {
    try {
      final JsonNode stats = node.stats();
      return stats.path("members").size();
    } catch (final IOException e) {
      return 0;
    }
  }

  private static List<Integer> freePorts(final int count) throws IOException {
    final List<ServerSocket> sockets = new ArrayList<>();
    try {
      for (int i = 0; i < count; i++) {
        sockets.add(new ServerSocket(0, 1, InetAddress.getLoopbackAddress()));
      }
      return sockets.stream().map(ServerSocket::getLocalPort).toList();
    } finally {
      for (final ServerSocket socket : sockets) {
        socket.close();
      }
    }
  }

  private static void pause() throws IOException {
    try {
      TimeUnit.NANOSECONDS.sleep(POLL.toNanos());
    } catch (final InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  /** Collects settings. Not thread-safe. */
  public static final class Builder {
    private int nodes = 3;
    private long slabBytes = 64L << 20;
    private long heapBytes = 256L << 20;
    private long indexBytes = 64L << 20;
    private Path directory = Path.of(System.getProperty("java.io.tmpdir"));
    private Path slabDirectory = Path.of("/dev/shm");
    private boolean detachable;
    private boolean isShortLived;
    private boolean isSameHost;
    private final List<String> sets = new ArrayList<>();

    private Builder() {}

    /** Number of nodes. */
    public Builder nodes(final int count) {
      nodes = count;
      return this;
    }

    /** Slab of each node. */
    public Builder slabBytes(final long bytes) {
      slabBytes = bytes;
      return this;
    }

    /**
     * Nodes that live for a minute: the quick compiler alone and one collector thread. Compiling
     * Ignite well takes two cores longer than that, and lookups wait for it meanwhile.
     */
    public Builder shortLived() {
      isShortLived = true;
      return this;
    }

    /** Java heap of each node. */
    public Builder heapBytes(final long bytes) {
      heapBytes = bytes;
      return this;
    }

    /** Index memory of each node. */
    public Builder indexBytes(final long bytes) {
      indexBytes = bytes;
      return this;
    }

    /**
     * Parent of the folder for run directories; the system's folder for temporary files if unset.
     */
    public Builder directory(final Path parent) {
      directory = parent;
      return this;
    }

    /** Parent of the folder for slabs; {@code /dev/shm} if unset. */
    public Builder slabDirectory(final Path parent) {
      slabDirectory = parent;
      return this;
    }

    /** Further configuration of every node, {@code key=value}. */
    public Builder set(final String keyValue) {
      sets.add(keyValue);
      return this;
    }

    /**
     * Let the nodes read each other's slab, as nodes of one host do unless told otherwise. Here
     * they do not: they stand for nodes of several hosts.
     */
    public Builder sameHost() {
      isSameHost = true;
      return this;
    }

    /** Start nodes that {@link #leaveRunning} can let go of. */
    public Builder detachable(final boolean wanted) {
      detachable = wanted;
      return this;
    }

    /**
     * Starts the nodes and waits until they serve and see each other.
     *
     * @throws IOException if they do not; nothing is left behind then
     */
    public LocalCluster start() throws IOException {
      final LocalFolder runs = LocalFolder.create(directory, FOLDER_KIND);
      final LocalFolder slabs;
      try {
        slabs = LocalFolder.create(slabDirectory, FOLDER_KIND);
      } catch (final IOException | RuntimeException e) {
        runs.close();
        throw e;
      }
      final LocalCluster cluster = new LocalCluster(this, runs, slabs);
      try {
        Runtime.getRuntime().addShutdownHook(cluster.shutdownHook);
        cluster.startAll();
        return cluster;
      } catch (final IOException | RuntimeException e) {
        cluster.close();
        throw e;
      }
    }
  }
}
