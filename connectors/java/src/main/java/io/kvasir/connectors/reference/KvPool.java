package io.kvasir.connectors.reference;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The engine's paged KV cache: a fixed number of pages of {@code chunkTokens} tokens, handed out to
 * {@link Sequence}s. A page is one contiguous array, laid out as the chunk is:
 *
 * <pre>
 *   for each layer:  keys   [chunkTokens][kvHeads * headSize]  float32
 *                    values [chunkTokens][kvHeads * headSize]  float32
 * </pre>
 *
 * and little-endian once it is copied to a slab slot. Not thread-safe.
 */
final class KvPool {
  private static final ValueLayout.OfFloat FLOAT_LE =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final ModelConfig config;
  private final float[][] pages;
  private final int[] free;
  private int freeCount;

  KvPool(ModelConfig config, int pageCount) {
    this.config = config;
    pages = new float[pageCount][config.pageFloats()];
    free = new int[pageCount];
    freeCount = pageCount;
    for (int i = 0; i < pageCount; i++) {
      free[i] = pageCount - 1 - i;
    }
  }

  /** A pool that holds one prompt of the longest length. */
  static KvPool forOnePrompt(ModelConfig config) {
    return new KvPool(config, Math.ceilDiv(config.tokensMax(), config.chunkTokens()));
  }

  Sequence open() {
    return new Sequence();
  }

  int freePages() {
    return freeCount;
  }

  /** The KV of one prompt: a table of pages and the number of tokens in them. */
  final class Sequence implements AutoCloseable {
    private int[] table = new int[16];
    private int pageCount;
    private int length;

    int length() {
      return length;
    }

    /** Page number {@code index} of this prompt. */
    float[] page(int index) {
      if (index >= pageCount) {
        throw new IndexOutOfBoundsException(index);
      }
      return pages[table[index]];
    }

    /** Makes room for {@code tokens} more tokens, which the caller then writes. */
    void extend(int tokens) {
      final int pagesNeeded = Math.ceilDiv(length + tokens, config.chunkTokens());
      if (pagesNeeded - pageCount > freeCount) {
        throw new IllegalStateException(
            "KVA-0541 KV cache is full - pagesNeeded="
                + pagesNeeded
                + " (limit="
                + pages.length
                + "); close other sequences or send a shorter prompt");
      }
      while (pageCount < pagesNeeded) {
        if (pageCount == table.length) {
          table = Arrays.copyOf(table, table.length * 2);
        }
        table[pageCount++] = free[--freeCount];
      }
      length += tokens;
    }

    /** Appends one whole page from a chunk; the length must be at a page boundary. */
    void appendPage(MemorySegment chunk) {
      if (length % config.chunkTokens() != 0) {
        throw new IllegalStateException("length=" + length + " is not at a page boundary");
      }
      extend(config.chunkTokens());
      final float[] page = page(pageCount - 1);
      MemorySegment.copy(chunk, FLOAT_LE, 0, page, 0, page.length);
    }

    /** Copies the full page {@code index} into a chunk. */
    void copyPage(int index, MemorySegment chunk) {
      final float[] page = page(index);
      MemorySegment.copy(page, 0, chunk, FLOAT_LE, 0, page.length);
    }

    /** Copies keys and values of one layer of the full page {@code index} into a chunk. */
    void copyLayer(int index, int layer, MemorySegment chunk) {
      final int floats = config.pageFloats() / config.layers();
      final int from = layer * floats;
      MemorySegment.copy(page(index), from, chunk, FLOAT_LE, (long) from * Float.BYTES, floats);
    }

    /** Forgets all tokens and gives the pages back; the sequence can be filled again. */
    void clear() {
      while (pageCount > 0) {
        free[freeCount++] = table[--pageCount];
      }
      length = 0;
    }

    @Override
    public void close() {
      clear();
    }
  }
}
