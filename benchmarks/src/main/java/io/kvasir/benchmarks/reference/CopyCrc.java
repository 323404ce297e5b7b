package io.kvasir.benchmarks.reference;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * Copies between two mapped, pre-faulted files in this process and verifies the CRC-32C of each
 * copied chunk, block by block while the block is in the cache: the least that a node can do that
 * reads another one's slab.
 */
public final class CopyCrc implements Reference {
  private static final int BLOCK_BYTES = 128 << 10;

  private final PrefaultedFile source;
  private final PrefaultedFile target;

  public CopyCrc(Path directory, long slabBytes) throws IOException {
    source = new PrefaultedFile(directory.resolve("copy-crc-source"), slabBytes, 42);
    target = new PrefaultedFile(directory.resolve("copy-crc-target"), slabBytes, 1);
  }

  @Override
  public String name() {
    return "copy-crc";
  }

  @Override
  public long deliver(int chunkBytes, int chunks) {
    CRC32C expected = new CRC32C();
    expected.update(source.memory().asSlice(0, chunkBytes).asByteBuffer());
    long startNs = System.nanoTime();
    for (int chunk = 0; chunk < chunks; chunk++) {
      int crc32c = copy((long) chunk * chunkBytes, chunkBytes);
      if (chunk == 0 && crc32c != (int) expected.getValue()) {
        throw new IllegalStateException("KVA-0651 reference delivered wrong bytes - chunks=1");
      }
    }
    return System.nanoTime() - startNs;
  }

  private int copy(long at, int chunkBytes) {
    ByteBuffer copied = target.memory().asSlice(at, chunkBytes).asByteBuffer();
    CRC32C crc = new CRC32C();
    for (int from = 0; from < chunkBytes; from += BLOCK_BYTES) {
      int length = Math.min(BLOCK_BYTES, chunkBytes - from);
      MemorySegment.copy(source.memory(), at + from, target.memory(), at + from, length);
      copied.limit(from + length);
      crc.update(copied);
    }
    return (int) crc.getValue();
  }

  @Override
  public void close() throws IOException {
    source.close();
    target.close();
  }
}
