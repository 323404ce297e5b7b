package io.kvasir.benchmarks.reference;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * Copies between two mapped, pre-faulted files in this process: what the memory bus gives one core.
 */
public final class Memcpy implements Reference {
  private final PrefaultedFile source;
  private final PrefaultedFile target;

  public Memcpy(Path directory, long slabBytes) throws IOException {
    source = new PrefaultedFile(directory.resolve("memcpy-source"), slabBytes, 42);
    target = new PrefaultedFile(directory.resolve("memcpy-target"), slabBytes, 1);
  }

  @Override
  public String name() {
    return "memcpy";
  }

  @Override
  public long deliver(int chunkBytes, int chunks) {
    long startNs = System.nanoTime();
    for (int chunk = 0; chunk < chunks; chunk++) {
      long at = (long) chunk * chunkBytes;
      MemorySegment.copy(source.memory(), at, target.memory(), at, chunkBytes);
    }
    return System.nanoTime() - startNs;
  }

  @Override
  public void close() throws IOException {
    source.close();
    target.close();
  }
}
