package io.kvasir.node.store;

import java.util.Arrays;

/**
 * Deals out extents of the slab in granules of 4 KiB: two-level segregated fit (Masmano, Ripoll,
 * Crespo, Real: "TLSF: a new dynamic memory allocator for real-time systems", ECRTS 2004). Allocate
 * and free take a bounded number of steps, neighbouring free extents are merged at once, and no
 * extent crosses a segment.
 *
 * <p>Unlike the paper's, the bookkeeping lies on the heap, where no engine can scribble over it,
 * and an allocation first looks at up to {@value #OWN_CLASS_SCAN} extents of the request's own
 * class: chunks of one namespace all have one length, and that way a freed extent is reused exactly
 * instead of being passed over in favour of a larger one.
 *
 * <p>A block is an allocated or free extent, named by a small number; at most {@code 2 x extents +
 * segments} exist, so everything is sized at construction. Not thread-safe.
 */
final class ExtentAllocator {
  static final int GRANULE_BYTES = 4096;
  static final int NONE = -1;

  private static final int GRANULE_SHIFT = 12;
  private static final int SECOND_LEVEL_SHIFT = 5;
  private static final int SECOND_LEVELS = 1 << SECOND_LEVEL_SHIFT;
  private static final int FIRST_LEVELS = 32 - SECOND_LEVEL_SHIFT;
  private static final int OWN_CLASS_SCAN = 16;

  private final int segmentGranules;
  private final int totalGranules;

  private final int[] start; // first granule of the block, in the slab
  private final int[] size; // granules
  private final int[] left; // physical neighbours, NONE at the ends of a segment
  private final int[] right;
  private final int[] nextFree; // list of the block's class; of unused block numbers otherwise
  private final int[] previousFree;
  private final int[] slotOf; // the slot that holds the block, NONE if free

  private final int[] heads = new int[FIRST_LEVELS * SECOND_LEVELS];
  private final int[] secondLevelMap = new int[FIRST_LEVELS];
  private int firstLevelMap;

  private int unusedHead;
  private int freeGranules;
  private int freeBlocks;

  /** An empty slab: one free block per segment. */
  ExtentAllocator(long slabBytes, long segmentBytes, int extentsMax) {
    this.segmentGranules = Math.toIntExact(segmentBytes >> GRANULE_SHIFT);
    this.totalGranules = Math.toIntExact(slabBytes >> GRANULE_SHIFT);
    int segments = (totalGranules + segmentGranules - 1) / segmentGranules;
    int blocks = Math.toIntExact(2L * extentsMax + segments);
    start = new int[blocks];
    size = new int[blocks];
    left = new int[blocks];
    right = new int[blocks];
    nextFree = new int[blocks];
    previousFree = new int[blocks];
    slotOf = new int[blocks];
    Arrays.fill(heads, NONE);
    for (int block = 0; block < blocks; block++) {
      nextFree[block] = block + 1 < blocks ? block + 1 : NONE;
      slotOf[block] = NONE;
    }
    for (int from = 0; from < totalGranules; from += segmentGranules) {
      int block = newBlock(from, Math.min(segmentGranules, totalGranules - from), NONE, NONE);
      link(block);
    }
  }

  /** Granules that a chunk of this length takes. */
  static int granules(long lengthBytes) {
    return (int) ((lengthBytes + GRANULE_BYTES - 1) >> GRANULE_SHIFT);
  }

  /** A block of exactly {@code granules} for {@code slot}, or {@link #NONE}. */
  int allocate(int granules, int slot) {
    int block = findFit(granules);
    if (block == NONE) {
      return NONE;
    }
    unlink(block);
    take(block, granules, slot);
    return block;
  }

  /** Whether {@link #allocate} would succeed. */
  boolean fits(int granules) {
    return findFit(granules) != NONE;
  }

  /**
   * Takes one given place, for rebuilding after a restart.
   *
   * @param hint a block of the same segment at or left of the place: the search walks right from it
   * @return the block, or {@link #NONE} if the place is not free or not inside one segment
   */
  int allocateAt(int firstGranule, int granules, int slot, int hint) {
    int block = hint;
    while (block != NONE && start[block] + size[block] <= firstGranule) {
      block = right[block];
    }
    if (block == NONE
        || slotOf[block] != NONE
        || start[block] > firstGranule
        || start[block] + size[block] < firstGranule + granules) {
      return NONE;
    }
    unlink(block);
    int gap = firstGranule - start[block];
    if (gap > 0) {
      int rest = split(block, gap);
      link(block);
      block = rest;
    }
    take(block, granules, slot);
    return block;
  }

  /** The first block of a segment; blocks of empty slabs are numbered like their segments. */
  int firstBlock(int segment) {
    return segment;
  }

  private void take(int block, int granules, int slot) {
    if (size[block] > granules) {
      link(split(block, granules));
    }
    slotOf[block] = slot;
  }

  /** Gives a block back and merges it with its free neighbours. */
  void free(int block) {
    slotOf[block] = NONE;
    int merged = block;
    int before = left[merged];
    if (before != NONE && slotOf[before] == NONE) {
      unlink(before);
      merged = join(before, merged);
    }
    int after = right[merged];
    if (after != NONE && slotOf[after] == NONE) {
      unlink(after);
      merged = join(merged, after);
    }
    link(merged);
  }

  private int findFit(int granules) {
    int own = classOf(granules);
    int block = heads[own];
    for (int looked = 0; block != NONE && looked < OWN_CLASS_SCAN; looked++) {
      if (size[block] >= granules) {
        return block;
      }
      block = nextFree[block];
    }
    int first = (own + 1) >> SECOND_LEVEL_SHIFT;
    int second = (own + 1) & (SECOND_LEVELS - 1);
    if (first >= FIRST_LEVELS) {
      return NONE;
    }
    int map = secondLevelMap[first] & (-1 << second);
    if (map == 0) {
      int firsts = first + 1 < FIRST_LEVELS ? firstLevelMap & (-1 << (first + 1)) : 0;
      if (firsts == 0) {
        return NONE;
      }
      first = Integer.numberOfTrailingZeros(firsts);
      map = secondLevelMap[first];
    }
    return heads[(first << SECOND_LEVEL_SHIFT) + Integer.numberOfTrailingZeros(map)];
  }

  /** Sizes below 32 granules have a class each; above, each power of two is cut into 32 classes. */
  private static int classOf(int granules) {
    if (granules < SECOND_LEVELS) {
      return granules;
    }
    int log = 31 - Integer.numberOfLeadingZeros(granules);
    int second = (granules >>> (log - SECOND_LEVEL_SHIFT)) - SECOND_LEVELS;
    return ((log - SECOND_LEVEL_SHIFT + 1) << SECOND_LEVEL_SHIFT) + second;
  }

  private void link(int block) {
    int index = classOf(size[block]);
    previousFree[block] = NONE;
    nextFree[block] = heads[index];
    if (heads[index] != NONE) {
      previousFree[heads[index]] = block;
    }
    heads[index] = block;
    firstLevelMap |= 1 << (index >> SECOND_LEVEL_SHIFT);
    secondLevelMap[index >> SECOND_LEVEL_SHIFT] |= 1 << (index & (SECOND_LEVELS - 1));
    freeGranules += size[block];
    freeBlocks++;
  }

  private void unlink(int block) {
    int index = classOf(size[block]);
    if (previousFree[block] == NONE) {
      heads[index] = nextFree[block];
    } else {
      nextFree[previousFree[block]] = nextFree[block];
    }
    if (nextFree[block] != NONE) {
      previousFree[nextFree[block]] = previousFree[block];
    }
    if (heads[index] == NONE) {
      int first = index >> SECOND_LEVEL_SHIFT;
      secondLevelMap[first] &= ~(1 << (index & (SECOND_LEVELS - 1)));
      if (secondLevelMap[first] == 0) {
        firstLevelMap &= ~(1 << first);
      }
    }
    freeGranules -= size[block];
    freeBlocks--;
  }

  /** Cuts {@code block} to {@code granules}; the rest becomes a new block on its right. */
  private int split(int block, int granules) {
    int rest = newBlock(start[block] + granules, size[block] - granules, block, right[block]);
    if (right[block] != NONE) {
      left[right[block]] = rest;
    }
    right[block] = rest;
    size[block] = granules;
    return rest;
  }

  /** Adds the right neighbour to {@code block}. */
  private int join(int block, int neighbour) {
    size[block] += size[neighbour];
    right[block] = right[neighbour];
    if (right[block] != NONE) {
      left[right[block]] = block;
    }
    nextFree[neighbour] = unusedHead;
    unusedHead = neighbour;
    return block;
  }

  private int newBlock(int first, int granules, int before, int after) {
    int block = unusedHead;
    unusedHead = nextFree[block];
    start[block] = first;
    size[block] = granules;
    left[block] = before;
    right[block] = after;
    slotOf[block] = NONE;
    return block;
  }

  long offsetBytes(int block) {
    return (long) start[block] << GRANULE_SHIFT;
  }

  int granulesOf(int block) {
    return size[block];
  }

  /** The slot that holds the block, or {@link #NONE} if it is free. */
  int slotOf(int block) {
    return slotOf[block];
  }

  /** The neighbour on the left inside the segment, or {@link #NONE}. */
  int left(int block) {
    return left[block];
  }

  /** The neighbour on the right inside the segment, or {@link #NONE}. */
  int right(int block) {
    return right[block];
  }

  long freeBytes() {
    return (long) freeGranules << GRANULE_SHIFT;
  }

  int freeBlocks() {
    return freeBlocks;
  }

  /** The largest free extent; walks the list of one class, so it is for statistics only. */
  long largestFreeBytes() {
    if (firstLevelMap == 0) {
      return 0;
    }
    int first = 31 - Integer.numberOfLeadingZeros(firstLevelMap);
    int second = 31 - Integer.numberOfLeadingZeros(secondLevelMap[first]);
    int largest = 0;
    for (int block = heads[(first << SECOND_LEVEL_SHIFT) + second];
        block != NONE;
        block = nextFree[block]) {
      largest = Math.max(largest, size[block]);
    }
    return (long) largest << GRANULE_SHIFT;
  }

  /** Receives free extents. */
  @FunctionalInterface
  interface ExtentConsumer {
    void accept(long offsetBytes, int granules);
  }

  /** Visits every free extent. */
  void forEachFree(ExtentConsumer consumer) {
    for (int head : heads) {
      for (int block = head; block != NONE; block = nextFree[block]) {
        consumer.accept(offsetBytes(block), size[block]);
      }
    }
  }

  /** Checks chain, lists, maps and sums against each other; throws with the first contradiction. */
  void assertValid() {
    int seenFree = 0;
    int seenFreeGranules = 0;
    int segments = (totalGranules + segmentGranules - 1) / segmentGranules;
    for (int segment = 0; segment < segments; segment++) {
      int expectedStart = segment * segmentGranules;
      int end = Math.min(totalGranules, expectedStart + segmentGranules);
      int before = NONE;
      for (int block = firstBlock(segment); block != NONE; block = right[block]) {
        Invariant.check(start[block] == expectedStart, "blocks follow each other", block);
        Invariant.check(size[block] > 0, "block has a size", block);
        Invariant.check(left[block] == before, "left neighbour", block);
        if (slotOf[block] == NONE) {
          Invariant.check(
              before == NONE || slotOf[before] != NONE, "no two free neighbours", block);
          seenFree++;
          seenFreeGranules += size[block];
        }
        expectedStart += size[block];
        before = block;
      }
      Invariant.check(expectedStart == end, "blocks cover the segment", segment);
    }
    Invariant.check(seenFree == freeBlocks, "number of free blocks", freeBlocks);
    Invariant.check(seenFreeGranules == freeGranules, "free granules", freeGranules);
    int listed = 0;
    for (int index = 0; index < heads.length; index++) {
      boolean marked =
          (secondLevelMap[index >> SECOND_LEVEL_SHIFT] >> (index & (SECOND_LEVELS - 1)) & 1) == 1;
      Invariant.check(marked == (heads[index] != NONE), "class map", index);
      for (int block = heads[index]; block != NONE; block = nextFree[block]) {
        Invariant.check(classOf(size[block]) == index, "block in the class of its size", block);
        Invariant.check(slotOf[block] == NONE, "listed block is free", block);
        Invariant.check(
            nextFree[block] == NONE || previousFree[nextFree[block]] == block, "list links", block);
        listed++;
      }
    }
    for (int first = 0; first < FIRST_LEVELS; first++) {
      Invariant.check(
          (firstLevelMap >> first & 1) == (secondLevelMap[first] != 0 ? 1 : 0), "top map", first);
    }
    Invariant.check(listed == freeBlocks, "listed blocks", listed);
  }
}
