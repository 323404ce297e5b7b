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
import java.util.List;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class StoreTest {
  private StoreFixture fixture;

  @BeforeEach
  void open() throws IOException {
    fixture = new StoreFixture(1);
  }

  @AfterEach
  void close() throws IOException {
    fixture.close();
  }

  @Test
  void shouldReturnTheBytesWhenCommitted() {
    Owner owner = fixture.owner(1);

    int slot = fixture.put(owner, 5, 100 * KIB + 3);

    Store store = fixture.store();
    assertEquals(slot, store.find(key(5)));
    assertEquals(StoreCodes.PINNED, store.pin(owner, slot, 0));
    assertTrue(StoreFixture.isFilled(store.memory(slot), 5));
    assertEquals(100 * KIB + 3, store.lengthBytes(slot));
    assertNotEquals(0, store.version(slot));
    assertEquals(key(5), store.key(slot));
    assertEquals(
        List.of(new StoreFixture.Change(key(5), store.version(slot), true)), fixture.changes);
    store.unpin(owner, slot);
    assertEquals(0, owner.chargedBytes());
  }

  @Test
  void shouldHideTheChunkUntilItIsCommitted() {
    Owner owner = fixture.owner(1);
    int slot = fixture.reserve(owner, 5, KIB);

    assertEquals(StoreCodes.NOT_FOUND, fixture.store().find(key(5)));
    assertEquals(StoreCodes.BUSY, fixture.reserve(fixture.owner(2), 5, KIB));
    fixture.store().commit(owner, slot, 1);
    assertEquals(StoreCodes.NOT_FOUND, fixture.store().find(key(5)));
    assertEquals(StoreCodes.BUSY, fixture.reserve(owner, 5, KIB));
    fixture.await("committed", 1);
    assertEquals(StoreCodes.ALREADY, fixture.reserve(owner, 5, KIB));
  }

  @Test
  void shouldKeepVersionAndChecksumOfAPulledChunk() {
    Owner owner = fixture.owner(1);
    Store store = fixture.store();
    int slot = store.reserveForPull(owner, key(5), 5, 1, 0, KIB);
    StoreFixture.fill(store.memory(slot), 5);
    CRC32C crc = new CRC32C();
    crc.update(store.memory(slot).asByteBuffer());

    store.commitPulled(owner, slot, 77, (int) crc.getValue(), 1);

    assertEquals(slot, store.find(key(5)));
    assertEquals(77, fixture.await("committed", 1).value());
    assertEquals((int) crc.getValue(), store.crc32c(slot));
    assertEquals(1, store.stats().pulledCommits());
  }

  @Test
  void shouldEvictTheColdestUnpinnedChunkWhenFull() {
    fixture.config = fixture.config(16 * MIB, 4 * MIB, 256);
    Owner owner = fixture.owner(1);
    Store store = fixture.store();
    for (int i = 0; i < 16; i++) {
      fixture.put(owner, i, MIB);
    }
    store.pin(owner, store.find(key(0)), 0);

    fixture.put(owner, 100, MIB);

    assertTrue(store.find(key(0)) >= 0);
    assertEquals(StoreCodes.NOT_FOUND, store.find(key(1)));
    assertEquals(List.of(key(1)), fixture.removed());
    assertEquals(1, store.stats().evictions());
  }

  @Test
  void shouldEvictNeighboursWhenFreeRoomIsScattered() {
    Owner owner = fixture.owner(1);
    Store store = fixture.store();
    for (int i = 0; i < 64; i++) {
      fixture.put(owner, i, 256 * KIB);
    }
    for (int i = 0; i < 64; i += 2) {
      assertTrue(store.drop(key(i)));
    }

    fixture.put(owner, 100, 2 * MIB);

    assertTrue(store.stats().neighbourEvictions() > 0);
    assertEquals(4, store.stats().evictions());
  }

  @Test
  void shouldAnswerNoSpaceWhenEverythingIsPinned() {
    Owner[] owners = {fixture.owner(1), fixture.owner(2)};
    Store store = fixture.store();
    for (int i = 0; i < 16; i++) {
      store.pin(owners[i % 2], fixture.put(owners[i % 2], i, MIB), 0);
    }

    assertEquals(StoreCodes.NO_SPACE, fixture.reserve(fixture.owner(3), 99, KIB));
    store.dropPins(owners[0]);
    assertTrue(fixture.reserve(fixture.owner(3), 99, KIB) >= 0);
  }

  @Test
  void shouldCountASlotOnceAgainstTheShareWhenPinnedTwice() {
    Owner owner = fixture.owner(1);
    Store store = fixture.store();
    for (int i = 0; i < 9; i++) {
      fixture.put(owner, i, MIB);
    }
    for (int i = 0; i < 8; i++) {
      assertEquals(StoreCodes.PINNED, store.pin(owner, store.find(key(i)), 0));
      assertEquals(StoreCodes.PINNED, store.pin(owner, store.find(key(i)), 0));
    }

    assertEquals(StoreCodes.OVER_SHARE, store.pin(owner, store.find(key(8)), 0));
    assertEquals(StoreCodes.OVER_SHARE, fixture.reserve(owner, 50, KIB));
    store.unpin(owner, store.find(key(0)));
    assertEquals(StoreCodes.OVER_SHARE, fixture.reserve(owner, 50, KIB));
    store.unpin(owner, store.find(key(0)));
    assertTrue(fixture.reserve(owner, 50, KIB) >= 0);
  }

  @Test
  void shouldRefuseAChunkThatCanNeverFit() {
    Owner owner = fixture.owner(1);

    assertEquals(StoreCodes.TOO_LARGE, fixture.reserve(owner, 1, 4 * MIB + 1));
    assertEquals(StoreCodes.TOO_LARGE, fixture.reserve(owner, 1, Integer.MAX_VALUE));
    assertThrows(IllegalArgumentException.class, () -> fixture.reserve(owner, 1, 0));
    assertThrows(IllegalArgumentException.class, () -> fixture.reserve(owner, 1, -1));
    assertEquals(2, fixture.store().stats().refusedTooLarge());
  }

  @Test
  void shouldEvictWhenTheEntryLimitIsReached() {
    fixture.config = fixture.config(16 * MIB, 4 * MIB, 8);
    Owner owner = fixture.owner(1);
    for (int i = 0; i < 20; i++) {
      fixture.put(owner, i, KIB);
    }

    assertEquals(8, fixture.store().stats().committedChunks());
    assertEquals(12, fixture.store().stats().evictions());
  }

  @Test
  void shouldQuarantineReservationsOfAClosedOwnerForTheGracePeriod() {
    Owner owner = fixture.owner(1);
    Store store = fixture.store();
    fixture.reserve(owner, 1, MIB);
    int pulled = store.reserveForPull(owner, key(2), 2, 1, 0, MIB);

    store.closeOwner(owner);
    store.closeOwner(owner);

    assertEquals(1, store.stats().quarantinedSlots());
    assertEquals(1, store.stats().reservedSlots());
    store.abort(owner, pulled);
    assertEquals(MIB, store.stats().usedBytes());
    assertTrue(fixture.reserve(fixture.owner(2), 1, MIB) >= 0, "the key is free at once");
    store.doWork();
    assertEquals(1, store.stats().quarantinedSlots());
    fixture.clock.advance(5_000_000_000L);
    store.doWork();
    assertEquals(0, store.stats().quarantinedSlots());
    assertThrows(IllegalArgumentException.class, () -> fixture.reserve(owner, 7, KIB));
  }

  @Test
  void shouldCommitWhenTheOwnerClosesAfterCommit() {
    Owner owner = fixture.owner(1);
    Store store = fixture.store();
    int slot = fixture.reserve(owner, 1, MIB);
    StoreFixture.fill(store.memory(slot), 1);
    store.commit(owner, slot, 9);

    store.closeOwner(owner);

    fixture.await("committed", 9);
    assertEquals(slot, store.find(key(1)));
  }

  @Test
  void shouldReplaceAChunkOfAnOlderEpochUnlessItIsRead() {
    Owner owner = fixture.owner(1);
    Store store = fixture.store();
    int slot = fixture.put(owner, 1, KIB);
    store.pin(owner, slot, 0);

    assertEquals(StoreCodes.BUSY, store.reserve(owner, key(1), 1, 1, 3, KIB));
    store.unpin(owner, slot);
    int newer = store.reserve(owner, key(1), 1, 1, 3, KIB);
    assertTrue(newer >= 0);
    assertEquals(3, store.epoch(newer));
    assertEquals(StoreCodes.NOT_FOUND, store.find(key(1)));
  }

  @Test
  void shouldEvictInTheBackgroundBetweenTheWatermarks() {
    StoreConfig plain = fixture.config(16 * MIB, 4 * MIB, 256);
    fixture.config =
        new StoreConfig(
            plain.slabDirectory(),
            plain.runDirectory(),
            plain.slabBytes(),
            plain.segmentBytes(),
            plain.maxChunks(),
            0.5,
            "s3fifo",
            0.75,
            0.5,
            1,
            plain.quarantineGrace(),
            true);
    Owner owner = fixture.owner(1);
    Store store = fixture.store();
    for (int i = 0; i < 12; i++) {
      fixture.put(owner, i, MIB);
    }
    assertEquals(12L * MIB, store.stats().usedBytes());

    int slot = fixture.reserve(owner, 50, MIB);

    while (store.doWork() > 0) {
      store.assertValid();
    }
    assertEquals(8L * MIB, store.stats().usedBytes());
    assertTrue(store.isReservedBy(owner, slot));
  }

  @Test
  void shouldRefuseCallsForSlotsThatTheOwnerDoesNotHold() {
    Owner owner = fixture.owner(1);
    Owner other = fixture.owner(2);
    Store store = fixture.store();
    int slot = fixture.reserve(owner, 1, KIB);

    assertThrows(IllegalArgumentException.class, () -> store.commit(other, slot, 0));
    assertThrows(IllegalArgumentException.class, () -> store.abort(other, slot));
    assertThrows(IllegalArgumentException.class, () -> store.pin(owner, slot, 0));
    assertThrows(IllegalArgumentException.class, () -> store.unpin(owner, slot));
    assertThrows(IllegalArgumentException.class, () -> store.commit(owner, -1, 0));
    assertThrows(IllegalArgumentException.class, () -> store.commit(owner, 100_000, 0));
    store.abort(owner, slot);
    assertThrows(IllegalArgumentException.class, () -> store.abort(owner, slot));
    assertThrows(IllegalArgumentException.class, () -> store.memory(slot));
    assertFalse(store.drop(key(1)));
  }

  @Test
  void shouldKeepNamespaceNumbersOverRestarts() {
    int first = fixture.store().spaceId(new Fingerprint(1, 2, 3, 4));
    int second = fixture.store().spaceId(new Fingerprint(1, 2, 3, 5));

    fixture.reopen();

    assertNotEquals(first, second);
    assertEquals(first, fixture.store().spaceId(new Fingerprint(1, 2, 3, 4)));
    assertEquals(second, fixture.store().spaceId(new Fingerprint(1, 2, 3, 5)));
    assertEquals(3, fixture.store().spaceId(new Fingerprint(9, 9, 9, 9)));
  }
}
