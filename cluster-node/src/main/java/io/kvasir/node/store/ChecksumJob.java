package io.kvasir.node.store;

import org.jspecify.annotations.Nullable;

/** One checksum to compute; passes from the node agent to a worker and back, then is used again. */
final class ChecksumJob {
  /** What the node agent does with the result. */
  enum Purpose {
    /** An engine committed: the result becomes the chunk's checksum. */
    COMMIT,
    /** First use after a restart: the result must be the recorded checksum. */
    VERIFY,
    /** Part of a chunk: the result goes to whoever asked. */
    PART
  }

  Purpose purpose = Purpose.COMMIT;
  int slot;
  int segment;
  int offsetInSegment;
  int lengthBytes;
  long cookie;
  long version;
  int expectedCrc32c;
  @Nullable Owner owner;

  int resultCrc32c; // written by the worker
}
