package io.kvasir.node.store;

import static io.kvasir.node.store.StoreFixture.KIB;
import static io.kvasir.node.store.StoreFixture.MIB;
import static io.kvasir.node.store.StoreFixture.key;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.placement.Fingerprint;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a new run finds of the one before: restarts, reboots, damaged files, a second node. */
@Timeout(120)
class StoreRestartTest {
  private static final int CHUNKS = 10;

  private StoreFixture fixture;

  @BeforeEach
  void open() throws IOException {
    fixture = new StoreFixture(2);
  }

  @AfterEach
  void close() throws IOException {
    fixture.close();
  }

  private void fillAndStop() {
    Owner owner = fixture.owner(1);
    for (int i = 0; i < CHUNKS; i++) {
      fixture.put(owner, i, 100 * KIB + i);
    }
    fixture.stop();
  }

  private void assertAllThere() {
    Owner owner = fixture.owner(9);
    Store store = fixture.store();
    for (int i = 0; i < CHUNKS; i++) {
      int slot = store.find(key(i));
      assertTrue(slot >= 0, "chunk " + i);
      assertEquals(StoreCodes.VERIFYING, store.pin(owner, slot, i));
      assertEquals(1, fixture.await("verified", i).value());
      assertTrue(StoreFixture.isFilled(store.memory(slot), i));
      assertEquals(100 * KIB + i, store.lengthBytes(slot));
      store.unpin(owner, slot);
      assertEquals(StoreCodes.PINNED, store.pin(owner, slot, i));
      store.unpin(owner, slot);
    }
    assertEquals(CHUNKS, store.stats().adoptedChunks());
  }

  private void assertEmpty() {
    StoreStats stats = fixture.store().stats();
    assertEquals(0, stats.committedChunks());
    assertEquals(0, stats.usedBytes());
    fixture.put(fixture.owner(1), 1, MIB);
  }

  @Test
  void shouldKeepChunksAndVersionsOverARestart() {
    Owner owner = fixture.owner(1);
    int slot = fixture.put(owner, 50, KIB);
    long version = fixture.store().version(slot);
    long incarnation = fixture.store().incarnation();
    assertTrue(fixture.store().drop(key(50)));
    fixture.put(owner, 51, KIB);
    int kept = fixture.store().find(key(51));
    long keptVersion = fixture.store().version(kept);

    fixture.reopen();

    assertEquals(StoreCodes.NOT_FOUND, fixture.store().find(key(50)));
    assertEquals(kept, fixture.store().find(key(51)));
    assertEquals(keptVersion, fixture.store().version(kept));
    assertNotEquals(version, keptVersion);
    assertNotEquals(incarnation, fixture.store().incarnation());
    assertEquals(0, fixture.store().stats().directoryRepairs());
  }

  @Test
  void shouldVerifyChunksAtFirstUse() {
    fillAndStop();

    assertEquals(CHUNKS, fixture.store().stats().unverifiedChunks());
    assertAllThere();
    assertEquals(0, fixture.store().stats().unverifiedChunks());
  }

  @Test
  void shouldDropAChunkWhenItsBytesAreWrongAtFirstUse() {
    fillAndStop();
    Store store = fixture.store();
    Owner first = fixture.owner(1);
    Owner second = fixture.owner(2);
    int slot = store.find(key(3));
    store.memory(slot).set(ValueLayout.JAVA_BYTE, 70_000, (byte) 1);

    assertEquals(StoreCodes.VERIFYING, store.pin(first, slot, 31));
    assertEquals(StoreCodes.VERIFYING, store.pin(second, slot, 32));
    assertFalse(store.drop(key(3)), "pinned");

    assertEquals(0, fixture.await("verified", 31).value());
    assertEquals(0, fixture.await("verified", 32).value());
    assertEquals(StoreCodes.NOT_FOUND, store.find(key(3)));
    assertEquals(1, store.stats().corruptChunks());
    assertEquals(0, first.chargedBytes());
    assertEquals(List.of(key(3)), fixture.removed());
  }

  @Test
  void shouldAnswerFalseWhenPinsWereDroppedDuringVerification() {
    fillAndStop();
    Store store = fixture.store();
    Owner leaving = fixture.owner(1);
    Owner staying = fixture.owner(2);
    int slot = store.find(key(3));
    store.pin(leaving, slot, 1);
    store.pin(staying, slot, 2);
    store.pin(staying, slot, 3);
    store.unpin(staying, slot);
    store.closeOwner(leaving);
    store.assertValid();

    assertEquals(0, fixture.await("verified", 1).value());
    assertEquals(0, fixture.await("verified", 2).value());
    assertEquals(1, fixture.await("verified", 3).value());
    store.unpin(staying, slot);
    assertTrue(store.drop(key(3)));
  }

  @Test
  void shouldForgetUnfinishedSlotsUnlessTheirWriterLives() {
    Store store = fixture.store();
    Owner dead = fixture.owner(100);
    Owner alive = fixture.owner(200);
    fixture.reserve(dead, 1, KIB);
    fixture.reserve(alive, 2, KIB);
    store.reserveForPull(alive, key(3), 3, 1, 0, KIB);
    fixture.host.alive.add(200L);

    fixture.reopen();

    StoreStats stats = fixture.store().stats();
    assertEquals(1, stats.quarantinedSlots());
    assertEquals(2, stats.vanishedReservations());
    assertEquals(0, stats.committedChunks());
    fixture.reopen();
    assertEquals(1, fixture.store().stats().quarantinedSlots(), "over a second restart");
    fixture.clock.advance(3_600_000_000_000L);
    fixture.store().doWork();
    assertEquals(1, fixture.store().stats().quarantinedSlots(), "while the process lives");
    fixture.host.alive.clear();
    fixture.clock.advance(2_000_000_000L);
    fixture.store().doWork();
    assertEquals(0, fixture.store().stats().usedBytes());
  }

  @Test
  void shouldStartEmptyAfterAReboot() {
    fillAndStop();
    fixture.host.bootId = new UUID(8, 8);

    assertEmpty();
  }

  @Test
  void shouldStartEmptyWhenTheGeometryChanged() {
    fillAndStop();
    fixture.config = fixture.config(8L * MIB, 4L * MIB, 256);
    assertEmpty();
    fixture.stop();
    fixture.config = fixture.config(8L * MIB, 4L * MIB, 128);
    assertEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"slots truncated", "slots garbage", "slots empty", "segment size", "segment gone"})
  void shouldStartEmptyWhenAFileIsDamaged(String damage) throws IOException {
    fillAndStop();
    Path slots = fixture.slabFile(SlotTable.FILE_NAME);
    switch (damage) {
      case "slots truncated" -> truncate(slots, 5000);
      case "slots garbage" -> garble(slots, 0, 4096);
      case "slots empty" -> truncate(slots, 0);
      case "segment size" -> truncate(firstSegment(), 12_345);
      default -> Files.delete(firstSegment());
    }

    assertEmpty();
  }

  @Test
  void shouldStartEmptyWhenTheNamespaceTableIsDamagedOrGone() throws IOException {
    fixture.store().spaceId(new Fingerprint(1, 2, 3, 4));
    fillAndStop();
    garble(fixture.slabFile(NamespaceTable.FILE_NAME), 30, 10);
    assertEmpty();
    fixture.stop();
    Files.delete(fixture.slabFile(NamespaceTable.FILE_NAME));
    assertEmpty();
  }

  @Test
  void shouldLeaveForeignFilesAlone() throws IOException {
    fillAndStop();
    Path foreign = fixture.slabFile("other.kv");
    Files.writeString(foreign, "not ours");
    fixture.host.bootId = new UUID(8, 8);

    assertEmpty();

    assertEquals("not ours", Files.readString(foreign));
  }

  @ParameterizedTest
  @ValueSource(strings = {"gone", "empty", "garbage", "zeros", "truncated", "header", "entries"})
  void shouldRebuildTheDirectoryFromTheSlotTable(String damage) throws IOException {
    fillAndStop();
    Path directory = fixture.slabFile(Directory.FILE_NAME);
    int length = (int) Files.size(directory);
    switch (damage) {
      case "gone" -> Files.delete(directory);
      case "empty" -> truncate(directory, 0);
      case "garbage" -> garble(directory, 0, length);
      case "zeros" -> Files.write(directory, new byte[length]);
      case "truncated" -> truncate(directory, length / 2);
      case "header" -> garble(directory, 20, 200);
      default -> garble(directory, length / 2, length / 4);
    }

    assertAllThere();
  }

  @Test
  void shouldRebuildTheDirectoryWhenItIsOfAnotherSlab() throws IOException {
    fillAndStop();
    Path elsewhere = fixture.folder.resolve("old-directory");
    Files.copy(fixture.slabFile(Directory.FILE_NAME), elsewhere);
    fixture.host.bootId = new UUID(8, 8);
    fillAndStop();
    Files.delete(fixture.slabFile(Directory.FILE_NAME));
    Files.move(elsewhere, fixture.slabFile(Directory.FILE_NAME));

    assertAllThere();
    assertEquals(CHUNKS, fixture.store().stats().directoryRepairs());
  }

  @Test
  void shouldNeverServeWrongBytesWhenRecordsAreDamaged() throws IOException {
    for (long seed = 1; seed <= 12; seed++) {
      fillAndStop();
      SplittableRandom random = new SplittableRandom(seed);
      Path slots = fixture.slabFile(SlotTable.FILE_NAME);
      for (int i = 0; i < 8; i++) {
        int record = random.nextInt(CHUNKS);
        garble(slots, 4096 + 128L * record + random.nextInt(100), 1 + random.nextInt(20));
      }

      Store store = fixture.store();
      store.assertValid();
      Owner owner = fixture.owner(9);
      for (int i = 0; i < CHUNKS; i++) {
        int slot = store.find(key(i));
        if (slot >= 0) {
          store.pin(owner, slot, i);
          boolean ok = fixture.await("verified", i).value() == 1;
          assertTrue(!ok || StoreFixture.isFilled(store.memory(slot), i), "seed=" + seed);
        }
      }
      assertTrue(store.stats().damagedRecords() > 0, "seed=" + seed);
      store.closeOwner(owner);
      store.forEachCommitted((slot, key, group, version, length) -> store.find(key));
      fixture.stop();
      Files.delete(slots);
      fixture.answers.clear();
    }
  }

  @Test
  void shouldRefuseASecondNodeOnTheSameDirectories() {
    fixture.store();
    long pid = ProcessHandle.current().pid();

    StoreException same =
        assertThrows(
            StoreException.class,
            () -> Store.open(fixture.config, fixture, () -> {}, StoreEnvironment.system()));
    assertMentions(same, "KVA-0202");
    assertMentions(same, "pid=" + pid);
    StoreConfig other = otherRunDirectory();
    StoreException slab =
        assertThrows(
            StoreException.class,
            () -> Store.open(other, fixture, () -> {}, StoreEnvironment.system()));
    assertMentions(slab, "slab");
    fixture.put(fixture.owner(1), 1, KIB);
  }

  private static void assertMentions(StoreException refusal, String part) {
    assertTrue(refusal.toString().contains(part), refusal.toString());
  }

  private StoreConfig otherRunDirectory() {
    StoreConfig c = fixture.config;
    return new StoreConfig(
        c.slabDirectory(),
        fixture.folder.resolve("run2"),
        c.slabBytes(),
        c.segmentBytes(),
        c.maxChunks(),
        c.ownerShare(),
        c.evictionPolicy(),
        c.highWatermark(),
        c.lowWatermark(),
        c.checksumThreads(),
        c.quarantineGrace(),
        c.poisonFreedSlots());
  }

  @Test
  void shouldRefuseASlabThatDoesNotFitAndLeaveNoFile() throws IOException {
    long usable = Files.getFileStore(StoreFixture.sharedMemory()).getTotalSpace();
    long tooMuch = (usable / (1 << 30) + 1) << 30;
    fixture.config = fixture.config(tooMuch, 1 << 30, 256);

    StoreException refused = assertThrows(StoreException.class, fixture::store);

    assertMentions(refused, "KVA-0205");
    assertMentions(refused, "sum=");
    try (Stream<Path> files = Files.list(fixture.config.slabDirectory())) {
      assertEquals(List.of("slab.lock"), files.map(f -> f.getFileName().toString()).toList());
    }
    fixture.config = fixture.config(4L * MIB, 4L * MIB, 16);
    fixture.store();
  }

  @Test
  void shouldMakeFilesThatOnlyTheOwnerMayOpen() throws IOException {
    fixture.store().spaceId(new Fingerprint(1, 2, 3, 4));

    try (Stream<Path> files = Files.list(fixture.config.slabDirectory())) {
      for (Path file : files.toList()) {
        assertEquals(
            "rw-------",
            PosixFilePermissions.toString(Files.getPosixFilePermissions(file)),
            file.toString());
      }
    }
  }

  private Path firstSegment() {
    Path path = fixture.store().segments().getFirst().path();
    fixture.stop();
    return path;
  }

  private static void truncate(Path file, long length) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(length);
    }
  }

  private static void garble(Path file, long from, int length) throws IOException {
    byte[] garbage = new byte[length];
    new SplittableRandom(from + length).nextBytes(garbage);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(garbage), from);
    }
  }
}
