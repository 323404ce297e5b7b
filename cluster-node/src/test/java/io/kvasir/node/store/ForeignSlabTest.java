package io.kvasir.node.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The slab of another store on this host, as a neighbour finds it. */
class ForeignSlabTest {
  private static final int CELL = 7;
  private static final long NONCE = 0x1234_5678_9abc_def0L;
  private static final long PROOF = -42;
  private static final int CHUNK_BYTES = 300 * StoreFixture.KIB + 123;

  private StoreFixture reader;
  private StoreFixture holder;

  @BeforeEach
  void openBoth() throws IOException {
    reader = new StoreFixture(1);
    holder = new StoreFixture(2);
    holder.store().cell(CELL, NONCE, PROOF);
  }

  @AfterEach
  void closeBoth() throws IOException {
    assertEquals(0, mappings(), "no mapping of the other store is left");
    holder.close();
    reader.close();
  }

  /** Mappings of this process beside those of the stores themselves. */
  private long mappings() throws IOException {
    final String folder = holder.config.slabDirectory().toString();
    return Files.readAllLines(Path.of("/proc/self/maps")).stream()
        .filter(line -> line.contains(folder) && line.contains(" r--s "))
        .count();
  }

  private SlabShare own() {
    return reader.store().share();
  }

  private ForeignSlab open(SlabShare announced) throws IOException {
    return ForeignSlab.open(own(), announced, CELL, NONCE);
  }

  private void assertRefused(SlabShare announced, String reason) {
    final IOException refused = assertThrows(IOException.class, () -> open(announced).close());
    assertTrue(String.valueOf(refused.getMessage()).contains(reason), refused::getMessage);
  }

  private static SlabShare share(
      SlabShare of, int uid, UUID bootId, long slabBytes, long incarnation, Path directory) {
    return new SlabShare(
        uid, bootId, of.slabId(), slabBytes, of.segmentBytes(), incarnation, directory);
  }

  @Test
  void shouldCopyAChunkAndItsChecksumWhenTheSlabIsAsAnnounced() throws IOException {
    final int slot = holder.put(holder.owner(1), 5, CHUNK_BYTES);
    final Store store = holder.store();
    try (ForeignSlab slab = open(store.share());
        Arena arena = Arena.ofShared()) {
      assertEquals(PROOF, slab.proof());
      final MemorySegment copy = arena.allocate(CHUNK_BYTES, 64);
      assertEquals(store.crc32c(slot), slab.copy(store.slabOffset(slot), CHUNK_BYTES, copy));
      assertTrue(StoreFixture.isFilled(copy, 5));
      assertTrue(slab.isValid());
      store.memory(slot).set(ValueLayout.JAVA_BYTE, 99, (byte) 1);
      assertNotEquals(store.crc32c(slot), slab.copy(store.slabOffset(slot), CHUNK_BYTES, copy));
    }
  }

  @Test
  void shouldKnowWhereChunksCanBe() throws IOException {
    final SlabShare share = holder.store().share();
    final long segmentBytes = share.segmentBytes();
    try (ForeignSlab slab = open(share)) {
      assertTrue(slab.contains(0, (int) segmentBytes));
      assertTrue(slab.contains(share.slabBytes() - 1, 1));
      assertFalse(slab.contains(1, (int) segmentBytes)); // over the end of its file
      assertFalse(slab.contains(-1, 1));
      assertFalse(slab.contains(0, 0));
      assertFalse(slab.contains(0, -1));
      assertFalse(slab.contains(share.slabBytes(), 1));
      assertFalse(slab.contains(Long.MAX_VALUE, Integer.MAX_VALUE));
    }
  }

  @Test
  void shouldNoLongerBeValidWhenTheOwnerVoidsTheCell() throws IOException {
    try (ForeignSlab slab = open(holder.store().share())) {
      assertTrue(slab.isValid());
      holder.store().cell(CELL, 0, 0);
      assertFalse(slab.isValid());
      holder.store().cell(CELL, NONCE, PROOF + 1); // of a later session
      assertFalse(slab.isValid());
    }
  }

  @Test
  void shouldNoLongerBeValidWhenTheOwnerIsOpenedAgain() throws IOException {
    try (ForeignSlab slab = open(holder.store().share())) {
      holder.reopen();
      assertFalse(slab.isValid());
      assertRefused(holder.store().share(), "nonce"); // the cell went with its incarnation
    }
  }

  @Test
  void shouldRefuseWhenAnythingIsNotAsAnnounced() throws IOException {
    final SlabShare it = holder.store().share();
    final Path dir = it.directory();
    assertRefused(own(), "this very slab");
    assertRefused(
        share(it, it.uid() + 1, it.bootId(), it.slabBytes(), it.incarnation(), dir), "another");
    assertRefused(
        share(it, it.uid(), new UUID(3, 4), it.slabBytes(), it.incarnation(), dir), "another");
    assertRefused(
        share(it, it.uid(), it.bootId(), it.slabBytes() * 2, it.incarnation(), dir),
        "another slab");
    assertRefused(
        share(it, it.uid(), it.bootId(), it.slabBytes(), it.incarnation() + 1, dir),
        "another incarnation");
    for (final long bytes : new long[] {0, -4096, 4095, Long.MIN_VALUE, 1L << 62}) {
      assertRefused(
          share(it, it.uid(), it.bootId(), bytes, it.incarnation(), dir), "no description");
    }
    for (final Path path :
        new Path[] {Path.of("slab"), Path.of(""), dir.resolve("../slab"), dir.resolve(".")}) {
      assertRefused(
          share(it, it.uid(), it.bootId(), it.slabBytes(), it.incarnation(), path),
          "no description");
    }
    for (final int cell : new int[] {-1, SlabShare.CELLS, CELL + 1}) {
      assertThrows(IOException.class, () -> ForeignSlab.open(own(), it, cell, NONCE));
    }
    assertThrows(IOException.class, () -> ForeignSlab.open(own(), it, CELL, NONCE + 1));
    assertThrows(IOException.class, () -> ForeignSlab.open(own(), it, CELL + 1, 0));
    assertRefused(
        share(it, it.uid(), it.bootId(), it.slabBytes(), it.incarnation(), Path.of("/dev/shm/-")),
        "/dev/shm/-");
  }

  @Test
  void shouldRefuseFilesThatAreNotOfThisUserAlone() throws IOException {
    final SlabShare share = holder.store().share();
    final Path segment = Slab.segmentPath(share.directory(), share.slabId(), 1);
    Files.setPosixFilePermissions(segment, PosixFilePermissions.fromString("rw-r-----"));
    assertRefused(share, "this user alone");
    Files.setPosixFilePermissions(segment, PosixFilePermissions.fromString("rw-------"));
    Files.setPosixFilePermissions(share.directory(), PosixFilePermissions.fromString("rwxrwxrwx"));
    assertRefused(share, "this user alone");
    Files.setPosixFilePermissions(share.directory(), PosixFilePermissions.fromString("rwx------"));
    open(share).close();
  }

  @Test
  void shouldRefuseFilesOfAnotherUser() throws IOException {
    final SlabShare share = holder.store().share();
    assumeTrue(share.uid() == 0, "only root gives files away");
    final Path table = share.directory().resolve(SlotTable.FILE_NAME);
    Files.setAttribute(table, "unix:uid", 1);
    assertRefused(share, "this user alone");
    Files.setAttribute(table, "unix:uid", 0);
    open(share).close();
  }

  @Test
  void shouldRefuseLinksAndFilesOfAnotherSize() throws IOException {
    final SlabShare share = holder.store().share();
    final Path segment = Slab.segmentPath(share.directory(), share.slabId(), 1);
    final Path aside = segment.resolveSibling("aside");
    Files.move(segment, aside, StandardCopyOption.ATOMIC_MOVE);
    Files.createSymbolicLink(segment, aside);
    assertRefused(share, "this user alone");
    Files.delete(segment);
    assertRefused(share, segment.getFileName().toString());
    Files.move(aside, segment, StandardCopyOption.ATOMIC_MOVE);
    try (FileChannel channel = FileChannel.open(segment, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.allocate(1), share.segmentBytes());
      assertRefused(share, "another size");
      channel.truncate(share.segmentBytes());
    }
    open(share).close();
  }
}
