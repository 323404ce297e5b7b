package io.kvasir.node.index;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.node.peer.IndexQuestions;
import io.kvasir.placement.ChunkKey;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.ignite.Ignite;
import org.apache.ignite.cache.affinity.Affinity;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.internal.IgniteEx;
import org.apache.ignite.internal.pagemem.PageMemory;
import org.apache.ignite.internal.processors.cache.persistence.DataRegion;
import org.jspecify.annotations.Nullable;
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
        new ClusterMember(1, "n1", cluster.node(0).endpoint(), "a", 1L << 30, false),
        members.get(0));
    assertEquals(
        new ClusterMember(2, "n2", cluster.node(1).endpoint(), "a", 1L << 30, true),
        members.get(1));
    IndexCluster.await("told of them", () -> members.equals(cluster.node(1).seen));
    assertTrue(cluster.node(1).reannounces.get() >= 1, "asked to announce after the join");
  }

  @Test
  void shouldBecomeOneClusterWhenTheSeedCameLate(@TempDir final Path folder) throws Exception {
    final int port = IndexCluster.freePort();
    final List<String> seeds = List.of("127.0.0.1:" + port);
    try (IndexCluster.Node early =
        new IndexCluster.Node().join(IndexCluster.config(folder, 21, "a", 0, seeds))) {
      assertEquals(1, early.index().members().size());
      try (IndexCluster.Node seed =
          new IndexCluster.Node().join(IndexCluster.config(folder, 22, "a", port, List.of()))) {
        assertEquals(1, seed.index().members().size(), "it knows of nobody");
        IndexCluster.await(
            "one cluster",
            () -> early.index().members().size() == 2 && seed.index().members().size() == 2);
        assertEquals(1, early.index().stats().rejoins());
      }
    }
  }

  @Test
  void shouldNoticeMembersOfTheSameNameWhenTheyCome() {
    final ClusterMember self = new ClusterMember(1, "cache", "host:1", "a", 1, true);
    final ClusterMember namesake = new ClusterMember(2, "cache", "host:2", "a", 1, false);
    final ClusterMember other = new ClusterMember(3, "other", "host:3", "a", 1, false);
    final Map<Long, ClusterMember> alone = Map.of(1L, self);
    final Map<Long, ClusterMember> all = Map.of(1L, self, 2L, namesake, 3L, other);
    assertEquals(List.of(namesake), ClusterIndex.namesakes(self, alone, all));
    assertEquals(List.of(), ClusterIndex.namesakes(self, all, all));
    assertEquals(List.of(), ClusterIndex.namesakes(other, alone, all));
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

  @Test
  void shouldKeepAllHoldersWhenNodesAnnounceAtOnce() throws Exception {
    final int count = 2_000;
    final ChunkKey[] keys =
        Stream.generate(() -> IndexCluster.key(random)).limit(count).toArray(ChunkKey[]::new);
    final long[] groups = Stream.of(keys).mapToLong(ChunkKey::w0).toArray();
    final long droppedBefore = index(0).stats().dropped();
    final List<Thread> announcing = new ArrayList<>();
    for (int node = 0; node < 3; node++) {
      final ClusterIndex index = index(node);
      final long version = 100L + node;
      announcing.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int i = 0; i < count; i++) {
                      index.announce(keys[i], groups[i], 4096, version, null);
                    }
                  }));
    }
    for (final Thread thread : announcing) {
      thread.join();
    }
    for (int node = 0; node < 3; node++) {
      final ClusterIndex index = index(node);
      final Set<Long> others = new TreeSet<>(Set.of(1L, 2L, 3L));
      others.remove(node + 1L);
      IndexCluster.await(
          "all holders of all keys, seed " + seed,
          () ->
              Stream.of(IndexCluster.lookup(index, keys, groups, Duration.ofSeconds(5)))
                  .allMatch(
                      holders ->
                          holders != null
                              && others.equals(
                                  Arrays.stream(holders.nodeIds())
                                      .boxed()
                                      .collect(Collectors.toCollection(TreeSet::new)))
                              && versionsFit(holders)));
    }
    assertEquals(droppedBefore, index(0).stats().dropped());
  }

  private static boolean versionsFit(final Holders holders) {
    for (int i = 0; i < holders.nodeIds().length; i++) {
      if (holders.versions()[i] != 99 + holders.nodeIds()[i]) {
        return false;
      }
    }
    return true;
  }

  @Test
  void shouldForgetWhatWasWithdrawn() throws Exception {
    final ChunkKey key = IndexCluster.key(random);
    IndexCluster.announce(index(0), key, key.w0(), 512, 5);
    IndexCluster.announce(index(1), key, key.w0(), 512, 6);
    index(0).withdraw(key, key.w0(), 5);
    IndexCluster.await(
        "one holder", () -> holders(2, new ChunkKey[] {key}, new long[] {key.w0()}) == 1);
    index(1).withdraw(key, key.w0(), 6);
    // Not by a lookup: one that has no answer in time finds none either.
    IndexCluster.await(
        "no entry stays, not even an empty one",
        () -> life(2).cache().get(new IndexKey(key.w0(), key).toBytes()) == null);
    assertNull(IndexCluster.lookup(index(2), key, key.w0()));
  }

  @Test
  void shouldRepairAStaleEntryButNotAFreshOne() throws Exception {
    final ChunkKey key = IndexCluster.key(random);
    IndexCluster.announce(index(0), key, key.w0(), 512, 5);
    index(1).withdrawStale(key, key.w0(), 1, 4);
    // The same queue in order: when this is indexed, the repair was.
    IndexCluster.announce(index(1), IndexCluster.key(random), 0, 512, 1);
    assertNotNull(IndexCluster.lookup(index(1), key, key.w0()), "another version stays");
    index(1).withdrawStale(key, key.w0(), 1, 5);
    IndexCluster.await("repaired", () -> IndexCluster.lookup(index(1), key, key.w0()) == null);
  }

  private static boolean isSpread(final Affinity<byte[]> affinity) {
    final int[] primaries = new int[4];
    for (int partition = 0; partition < affinity.partitions(); partition++) {
      final List<ClusterNode> owners =
          List.copyOf(affinity.mapPartitionToPrimaryAndBackups(partition));
      if (owners.size() != 2
          || MemberAttributes.zone(owners.get(0)).equals(MemberAttributes.zone(owners.get(1)))) {
        return false;
      }
      final ClusterMember primary = MemberAttributes.member(owners.getFirst());
      assertNotNull(primary);
      primaries[(int) primary.nodeId()]++;
    }
    System.out.println("INDEX primaries by node " + Arrays.toString(primaries));
    return Arrays.stream(primaries, 1, 4).min().orElse(0) > GroupAffinity.PARTITIONS / 6;
  }

  @Test
  void shouldSpreadPartitionsAndKeepCopiesInDifferentZones() {
    final Ignite ignite = life(0).ignite();
    final Affinity<byte[]> affinity = ignite.affinity(IgniteSettings.CACHE);
    assertEquals(GroupAffinity.PARTITIONS, affinity.partitions());
    // Another test may have restarted a node just before.
    IndexCluster.await("each node is primary of its share", () -> isSpread(affinity));
    final ChunkKey one = IndexCluster.key(random);
    final ChunkKey two = IndexCluster.key(random);
    assertEquals(
        affinity.partition(new IndexKey(9, one).toBytes()),
        affinity.partition(new IndexKey(9, two).toBytes()),
        "a group lies together");
    assertEquals(
        (int) (one.w0() & (GroupAffinity.PARTITIONS - 1)),
        affinity.partition(new IndexKey(one.w0(), two).toBytes()));
  }

  @Test
  void shouldAnswerUnknownWhenTheDeadlineHasPassed() {
    final ChunkKey key = IndexCluster.key(random);
    final @Nullable Holders[] found =
        IndexCluster.lookup(index(0), new ChunkKey[] {key, key}, new long[] {1, 1}, Duration.ZERO);
    assertEquals(2, found.length);
    assertEquals(0, IndexCluster.holderCount(found));
  }

  @Test
  void shouldRefuseBadArguments() {
    final ChunkKey key = IndexCluster.key(random);
    assertThrows(IllegalArgumentException.class, () -> index(0).announce(key, 1, 0, 1, null));
    assertThrows(IllegalArgumentException.class, () -> index(0).announce(key, 1, 1, 0, null));
    assertThrows(
        IllegalArgumentException.class,
        () -> index(0).lookup(new ChunkKey[] {key}, new long[0], System.nanoTime(), (_, _) -> {}));
    final IndexException all =
        assertThrows(
            IndexException.class,
            () ->
                new IndexConfig(
                    " ",
                    0,
                    "n",
                    "127.0.0.1",
                    80,
                    70_000,
                    List.of("nowhere"),
                    "",
                    "",
                    -1,
                    List.of(),
                    1,
                    directory));
    for (final String problem :
        List.of(
            "cluster.name",
            "nodeId",
            "discovery-port=80",
            "communication-port=70000",
            "seeds=nowhere",
            "capacityBytes=-1",
            "memory-bytes=1")) {
      assertTrue(
          String.valueOf(all.getMessage()).contains(problem),
          () -> all.getMessage() + " names " + problem);
    }
  }

  @Test
  void shouldSayWhichPortIsTaken() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      final IndexException refused =
          assertThrows(
              IndexException.class,
              () ->
                  join(IndexCluster.config(directory, 9, "a", taken.getLocalPort(), List.of()), 1));
      assertTrue(
          String.valueOf(refused.getMessage())
              .startsWith(
                  "KVA-0302 port cannot be used - cluster.discovery-port=" + taken.getLocalPort()),
          refused::getMessage);
    }
  }

  @Test
  void shouldRefuseANodeOfAnotherProtocolVersion() {
    final IndexException refused =
        assertThrows(
            IndexException.class,
            () -> join(IndexCluster.config(directory, 9, "a", 0, cluster.seeds()), 2));
    assertEquals(
        "KVA-0304 join refused - protocol=2 (cluster=1); run one release of Kvasir on all nodes of"
            + " a cluster",
        refused.getMessage());
    assertEquals(3, index(0).members().size());
  }

  @Test
  void shouldRefuseANodeOfAnotherCluster() {
    final IndexConfig ours = IndexCluster.config(directory, 9, "a", 0, cluster.seeds());
    final IndexConfig other =
        new IndexConfig(
            "other",
            9,
            "n9",
            "127.0.0.1",
            0,
            0,
            ours.seeds(),
            "127.0.0.1:1",
            "a",
            1,
            List.of(),
            ours.memoryBytes(),
            ours.workDirectory());
    final IndexException refused = assertThrows(IndexException.class, () -> join(other, 1));
    assertTrue(
        String.valueOf(refused.getMessage())
            .startsWith("KVA-0305 join refused - cluster.name=other (this cluster=test)"),
        refused::getMessage);
  }

  private static void join(final IndexConfig config, final int protocolVersion) {
    ClusterIndex.start(
            config,
            protocolVersion,
            IndexCluster.GRACE,
            new IndexCluster.Node(),
            new IndexQuestions())
        .close();
  }

  @Test
  void shouldTellTheOthersNothingOfTheEnvironment() {
    for (final ClusterNode node : life(0).ignite().cluster().nodes()) {
      assertNull(node.attribute("PATH"));
      assertNull(node.attribute("java.class.path"));
      assertNull(node.attribute("user.dir"));
    }
  }

  @Test
  void shouldListenOnTwoPortsOfTheClusterAddressOnly() throws IOException {
    final Set<String> expected = new TreeSet<>();
    cluster.nodes.forEach(
        node -> {
          expected.add("7F000001:%04X".formatted(node.index().discoveryPort()));
          expected.add("7F000001:%04X".formatted(node.index().communicationPort()));
        });
    final Set<String> sockets = new TreeSet<>();
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      for (final Path descriptor : descriptors.toList()) {
        if (Files.isSymbolicLink(descriptor)) {
          sockets.add(target(descriptor).replaceAll("socket:\\[(\\d+)]", "$1"));
        }
      }
    }
    final Set<String> listening = new TreeSet<>();
    for (final String table : List.of("tcp", "tcp6")) {
      for (final String line : Files.readAllLines(Path.of("/proc/self/net", table))) {
        final String[] fields = line.trim().split("\\s+", -1);
        if (fields[3].equals("0A") && sockets.contains(fields[9])) {
          listening.add(
              fields[1]
                  .replace("0000000000000000FFFF00000100007F", "7F000001")
                  .replace("0100007F", "7F000001"));
        }
      }
    }
    assertEquals(expected, listening);
  }

  /** What the descriptor is of; nothing if it was closed meanwhile. */
  private static String target(final Path descriptor) throws IOException {
    try {
      return Files.readSymbolicLink(descriptor).toString();
    } catch (final NoSuchFileException _) {
      return "";
    }
  }

  @Test
  void shouldStayUpWhenGarbageArrivesOnItsPorts() throws Exception {
    for (int i = 0; i < 200; i++) {
      final int port = i % 2 == 0 ? index(0).discoveryPort() : index(0).communicationPort();
      try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
          OutputStream out = socket.getOutputStream()) {
        final byte[] garbage = new byte[1 + random.nextInt(2_000)];
        random.nextBytes(garbage);
        out.write(garbage);
      } catch (final IOException _) {
        // Hung up on, as it should be.
      }
    }
    final ChunkKey key = IndexCluster.key(random);
    IndexCluster.announce(index(0), key, key.w0(), 512, 5);
    assertNotNull(IndexCluster.lookup(index(1), key, key.w0()), "seed " + seed);
    assertEquals(3, index(1).members().size());
  }

  @Test
  void shouldRejoinAndAskToAnnounceWhenIgniteStopsByItself() throws Exception {
    final IgniteLife before = life(2);
    final int asked = cluster.node(2).reannounces.get();
    before.ignite().close();
    IndexCluster.await(
        "a new life", () -> index(2).stats().rejoins() == 1 && index(2).members().size() == 3);
    cluster.awaitMembers(3);
    assertTrue(cluster.node(2).reannounces.get() > asked);
    final ChunkKey key = IndexCluster.key(random);
    IndexCluster.announce(index(2), key, key.w0(), 512, 5);
    assertNotNull(IndexCluster.lookup(index(0), key, key.w0()));
  }

  @Test
  void shouldSurviveTheDepartureOfAMemberAndForgetIt() throws Exception {
    final IndexCluster.Node fourth = cluster.add("b");
    cluster.awaitMembers(4);
    final int count = 500;
    final ChunkKey[] keys =
        Stream.generate(() -> IndexCluster.key(random)).limit(count).toArray(ChunkKey[]::new);
    final long[] groups = Stream.of(keys).mapToLong(ChunkKey::w0).toArray();
    for (int i = 0; i < count; i++) {
      index(0).announce(keys[i], groups[i], 4096, 1, null);
      fourth.index().announce(keys[i], groups[i], 4096, 2, null);
    }
    IndexCluster.await("two holders each", () -> holders(1, keys, groups) == 2 * count);
    fourth.index().close();
    cluster.nodes.remove(fourth);
    cluster.awaitMembers(3);
    IndexCluster.await(
        "entries through the backups, without the departed",
        () -> holders(1, keys, groups) == count);
    IndexCluster.await(
        "swept",
        () ->
            Arrays.stream(keys)
                .map(key -> life(0).cache().get(new IndexKey(key.w0(), key).toBytes()))
                .allMatch(entry -> entry != null && IndexEntry.count(entry) == 1));
  }

  private static long holders(final int asking, final ChunkKey[] keys, final long[] groups) {
    return Stream.of(IndexCluster.lookup(index(asking), keys, groups, Duration.ofSeconds(5)))
        .mapToLong(holders -> holders == null ? 0 : holders.nodeIds().length)
        .sum();
  }

  @Test
  void shouldStayWithinItsMemoryPerEntry() {
    final int count = Boolean.getBoolean("kvasir.full") ? 1_000_000 : 100_000;
    final long before = regionBytes();
    final long startNs = System.nanoTime();
    for (int i = 0; i < count; i++) {
      final ChunkKey key = IndexCluster.key(random);
      while (!index(0).announce(key, key.w0(), 1 << 20, 1 + i, null)) {
        IndexCluster.await(
            "room", () -> index(0).announceRoom() > ClusterIndex.announceRoomMax() / 2);
      }
    }
    IndexCluster.await("all sent", () -> index(0).stats().queued() == 0);
    final double seconds = (System.nanoTime() - startNs) / 1e9;
    final long settledNs = System.nanoTime();
    IndexCluster.await(
        "backups", () -> System.nanoTime() - settledNs > TimeUnit.SECONDS.toNanos(1));
    final double bytesPerEntry = (regionBytes() - before) / (double) count;
    System.out.printf(
        "INDEX %,d entries: %.0f bytes each over both copies, %,.0f announced/s%n",
        count, bytesPerEntry, count / seconds);
    assertTrue(bytesPerEntry <= 400, "bytes per entry " + bytesPerEntry);
    assertFalse(
        bytesPerEntry < 2 * (IndexKey.BYTES + 24), "measured something else: " + bytesPerEntry);
  }

  /** Used pages of the index region on all members; the public metrics are off. */
  private static long regionBytes() {
    long bytes = 0;
    for (int node = 0; node < 3; node++) {
      try {
        final DataRegion region =
            ((IgniteEx) life(node).ignite())
                .context()
                .cache()
                .context()
                .database()
                .dataRegion(IgniteSettings.CACHE);
        assertNotNull(region);
        final PageMemory memory = region.pageMemory();
        bytes += memory.loadedPages() * memory.systemPageSize();
      } catch (final Exception e) {
        throw new AssertionError(e);
      }
    }
    return bytes;
  }

  private static IgniteLife life(final int i) {
    final IgniteLife life = index(i).life();
    assertNotNull(life);
    return life;
  }
}
