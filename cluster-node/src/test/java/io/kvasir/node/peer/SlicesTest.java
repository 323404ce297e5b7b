package io.kvasir.node.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.placement.ChunkKey;
import io.kvasir.placement.Fingerprint;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

class SlicesTest {
  private final long seed = System.nanoTime();
  private final Random random = new Random(seed);

  private static int crc32c(final byte[] bytes, final int offset, final int length) {
    final CRC32C crc = new CRC32C();
    crc.update(bytes, offset, length);
    return (int) crc.getValue();
  }

  @Test
  void shouldGiveTheChecksumOfTheChunkWhenThoseOfItsSlicesAreCombined() {
    for (int round = 0; round < 200; round++) {
      final byte[] chunk = new byte[1 + random.nextInt(100_000)];
      random.nextBytes(chunk);
      final Slices slices = new Slices(chunk.length, 1 + random.nextInt(chunk.length));
      final int[] crcs = new int[slices.perChunk()];
      int bytes = 0;
      for (int i = 0; i < crcs.length; i++) {
        crcs[i] = crc32c(chunk, slices.offset(i), slices.length(i));
        bytes += slices.length(i);
      }
      assertEquals(chunk.length, bytes, () -> "seed=" + seed);
      assertEquals(crc32c(chunk, 0, chunk.length), slices.combine(crcs), () -> "seed=" + seed);
    }
  }

  @Test
  void shouldNameEachSliceOnce() {
    final Set<ChunkKey> keys = new HashSet<>();
    final ChunkKey one = new ChunkKey(1, 2, 3, 4);
    final ChunkKey other = new ChunkKey(1, 2, 3, 5);
    for (final ChunkKey chunk : List.of(one, other)) {
      for (int slice = 0; slice < 10; slice++) {
        keys.add(Slices.key(7, chunk, slice));
        keys.add(Slices.key(8, chunk, slice));
      }
    }
    assertEquals(40, keys.size());
  }

  @Test
  void shouldReadWhatWasWrittenWhenAnOfferHasManyParts() {
    final Space space = new Space(3, new Fingerprint(1, 2, 3, 4), 16, 1_000, 5);
    final byte[] hashes = new byte[100 * ChunkKey.BYTES];
    random.nextBytes(hashes);
    final ChunkRun run = ChunkRun.derive(space, 0, hashes, 0, 0, 100);
    final Slices slices = new Slices(1_000, 300);
    final List<byte[]> parts = HandoffNote.offer(run, slices, 9_000_000_000L, 1_300);
    assertTrue(parts.size() > 1);
    final HandoffOffer whole = HandoffOffer.begin(9, read(parts.getFirst()), 50);
    for (final byte[] part : parts) {
      assertTrue(part.length <= 1_300);
      assertFalse(whole.isWhole());
      final HandoffNote.Offer offer = read(part);
      assertTrue(whole.add(offer));
      assertFalse(whole.add(offer));
      assertEquals(5, offer.epoch());
      assertEquals(slices, offer.slices());
    }
    assertTrue(whole.isWhole());
    assertEquals(9_000_000_050L, whole.deadlineNs());
    for (int i = 0; i < 100; i++) {
      assertEquals(run.key(i), whole.keys().get(i));
      assertEquals(run.group(i), whole.groups().get(i));
    }
    assertInstanceOf(HandoffNote.Left.class, HandoffNote.read(HandoffNote.left()));
  }

  private static HandoffNote.Offer read(final byte[] part) {
    return assertInstanceOf(HandoffNote.Offer.class, HandoffNote.read(part));
  }

  @Test
  void shouldRefuseBodiesThatCannotBeTrue() {
    final Space space = new Space(3, new Fingerprint(1, 2, 3, 4), 16, 1_000, 5);
    final ChunkRun run = ChunkRun.derive(space, 0, new byte[64], 0, 0, 2);
    final byte[] good = HandoffNote.offer(run, new Slices(1_000, 300), 1, 1_300).getFirst();
    assertNull(HandoffNote.read(new byte[0]));
    assertNull(HandoffNote.read(Arrays.copyOf(good, good.length - 1)));
    assertNull(HandoffNote.read(Arrays.copyOf(HandoffNote.left(), 5)));
    final int[][] spoiled = {
      {0, 3},
      {4, -1},
      {44, -1},
      {48, 0},
      {48, -5},
      {52, 0},
      {52, -1},
      {56, 0},
      {56, 1},
      {56, 5_000},
      {60, -1},
      {60, 1},
      {60, Integer.MAX_VALUE}
    };
    for (final int[] each : spoiled) {
      final byte[] bad = good.clone();
      ByteBuffer.wrap(bad).order(ByteOrder.LITTLE_ENDIAN).putInt(each[0], each[1]);
      assertNull(HandoffNote.read(bad), () -> Arrays.toString(each));
    }
    for (int round = 0; round < 5_000; round++) {
      final byte[] noise = new byte[random.nextInt(300)];
      random.nextBytes(noise);
      if (noise.length > 0) {
        noise[0] = (byte) random.nextInt(4);
      }
      final HandoffNote note = HandoffNote.read(noise);
      assertTrue(
          !(note instanceof HandoffNote.Offer offer)
              || offer.first() + offer.keys().size() <= offer.total(),
          () -> "seed=" + seed);
    }
  }
}
