package io.kvasir.node.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.BitSet;
import java.util.SplittableRandom;
import org.agrona.collections.IntArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExtentAllocatorTest {
  private static final long GRANULE = ExtentAllocator.GRANULE_BYTES;

  private static ExtentAllocator allocator(int granules, int segmentGranules, int extentsMax) {
    return new ExtentAllocator(granules * GRANULE, segmentGranules * GRANULE, extentsMax);
  }

  @Test
  void shouldRoundUpToGranules() {
    assertEquals(1, ExtentAllocator.granules(1));
    assertEquals(1, ExtentAllocator.granules(4096));
    assertEquals(2, ExtentAllocator.granules(4097));
    assertEquals(524_288, ExtentAllocator.granules(Integer.MAX_VALUE));
  }

  @Test
  void shouldNotCrossSegments() {
    ExtentAllocator allocator = allocator(25, 10, 10);

    assertEquals(ExtentAllocator.NONE, allocator.allocate(11, 0));
    assertNotEquals(ExtentAllocator.NONE, allocator.allocate(10, 0));
    assertNotEquals(ExtentAllocator.NONE, allocator.allocate(10, 1));
    assertEquals(ExtentAllocator.NONE, allocator.allocate(6, 2));
    assertNotEquals(ExtentAllocator.NONE, allocator.allocate(5, 2));
    assertEquals(0, allocator.freeBytes());
    allocator.assertValid();
  }

  @Test
  void shouldReuseAnExtentExactlyWhenAllChunksHaveOneLength() {
    // 793 granules lie inside a size class, where the plain algorithm passes a freed extent over.
    ExtentAllocator allocator = allocator(10 * 793, 10 * 793, 10);
    int[] blocks = new int[10];
    for (int i = 0; i < 10; i++) {
      blocks[i] = allocator.allocate(793, i);
      assertNotEquals(ExtentAllocator.NONE, blocks[i]);
    }
    for (int i : new int[] {3, 7, 5}) {
      long offset = allocator.offsetBytes(blocks[i]);
      allocator.free(blocks[i]);
      int again = allocator.allocate(793, i);
      assertEquals(offset, allocator.offsetBytes(again));
    }
    allocator.assertValid();
  }

  @Test
  void shouldTakeGivenPlacesInRisingOrderAndRefuseOverlaps() {
    ExtentAllocator allocator = allocator(100, 50, 10);
    int first = allocator.allocateAt(5, 5, 0, allocator.firstBlock(0));
    int second = allocator.allocateAt(10, 3, 1, first);

    assertEquals(5 * GRANULE, allocator.offsetBytes(first));
    assertEquals(ExtentAllocator.NONE, allocator.allocateAt(12, 2, 2, second));
    assertEquals(ExtentAllocator.NONE, allocator.allocateAt(48, 3, 2, second));
    assertNotEquals(ExtentAllocator.NONE, allocator.allocateAt(50, 50, 2, allocator.firstBlock(1)));
    allocator.assertValid();
    allocator.free(first);
    allocator.free(second);
    allocator.assertValid();
    assertEquals(50 * GRANULE, allocator.largestFreeBytes());
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void shouldAgreeWithABitmapWhenUsedAtRandom(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int segmentGranules = 64 + random.nextInt(2000);
    int granules = segmentGranules + random.nextInt(3 * segmentGranules);
    int extentsMax = 1 + random.nextInt(400);
    int longest = 1 + random.nextInt(segmentGranules);
    ExtentAllocator allocator = allocator(granules, segmentGranules, extentsMax);
    BitSet used = new BitSet();
    IntArrayList blocks = new IntArrayList();
    for (int step = 0; step < 4000; step++) {
      if (blocks.size() < extentsMax && random.nextInt(100) < 55) {
        int length = 1 + (random.nextBoolean() ? random.nextInt(longest) : longest / 2);
        length = Math.min(length, segmentGranules);
        boolean fits = allocator.fits(length);
        int block = allocator.allocate(length, step);
        String where = "seed=" + seed + " step=" + step + " length=" + length;
        assertEquals(fits, block != ExtentAllocator.NONE, where);
        if (block == ExtentAllocator.NONE) {
          // A good fit may be passed over, but never one of the next size class: at most 1/32 more.
          int certain = length + length / 32 + 2;
          assertTrue(longestRun(used, granules, segmentGranules) < certain, where);
          continue;
        }
        int start = (int) (allocator.offsetBytes(block) / GRANULE);
        assertEquals(-1, firstUsed(used, start, start + length), where);
        assertEquals(start / segmentGranules, (start + length - 1) / segmentGranules, where);
        assertEquals(step, allocator.slotOf(block));
        used.set(start, start + length);
        blocks.addInt(block);
      } else if (!blocks.isEmpty()) {
        int block = blocks.removeAt(random.nextInt(blocks.size()));
        int start = (int) (allocator.offsetBytes(block) / GRANULE);
        used.clear(start, start + allocator.granulesOf(block));
        allocator.free(block);
      }
      allocator.assertValid();
      assertEquals((granules - used.cardinality()) * GRANULE, allocator.freeBytes());
    }
    assertEquals(
        longestRun(used, granules, segmentGranules) * GRANULE, allocator.largestFreeBytes());
    blocks.forEachInt(allocator::free);
    allocator.assertValid();
    assertEquals((granules + segmentGranules - 1) / segmentGranules, allocator.freeBlocks());
  }

  private static int firstUsed(BitSet used, int from, int to) {
    int next = used.nextSetBit(from);
    return next < to ? next : -1;
  }

  private static int longestRun(BitSet used, int granules, int segmentGranules) {
    int longest = 0;
    for (int segment = 0; segment < granules; segment += segmentGranules) {
      int end = Math.min(granules, segment + segmentGranules);
      for (int from = used.nextClearBit(segment); from < end; ) {
        int next = used.nextSetBit(from);
        int to = next < 0 || next > end ? end : next;
        longest = Math.max(longest, to - from);
        from = used.nextClearBit(to);
      }
    }
    return longest;
  }
}
