package io.kvasir.benchmarks.reference;

import java.io.IOException;

/** Something that delivers chunks into this process. Not thread-safe; one run at a time. */
public interface Reference extends AutoCloseable {
  /** The name of this reference in reports, for example {@code raw-aeron}. */
  String name();

  /**
   * Delivers {@code chunks} chunks and returns once the last byte is in place (and verified, where
   * this reference verifies).
   *
   * @return duration in nanoseconds, from the request to the end of the last chunk
   */
  long deliver(int chunkBytes, int chunks) throws IOException;

  @Override
  void close() throws IOException;
}
