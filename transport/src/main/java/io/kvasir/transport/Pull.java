package io.kvasir.transport;

import java.lang.foreign.MemorySegment;
import org.agrona.DirectBuffer;

/**
 * The reader's side of a pull. Lane thread only, except {@link #requestCancel}.
 *
 * <pre>
 *   WAITING --header--&gt; STREAMING --last segment--&gt; DONE
 *       \--refused, failed---------\--failed----------^
 * </pre>
 *
 * <p>One chunk streams at a time, so one running checksum is enough.
 */
final class Pull {
  /** Chunk states. */
  private static final byte WAITING = 0;

  private static final byte STREAMING = 1;
  private static final byte DONE = 2;

  private static final int NO_CHUNK = -1;

  /** What became of a segment. */
  enum Outcome {
    /** Written into the slot. */
    WRITTEN,
    /** Written, and its chunk is complete and right. */
    CHUNK_ENDED,
    /** Written, and its chunk is complete but has another checksum than the holder named. */
    CHUNK_CORRUPT,
    /** Its bytes are in place already. */
    IGNORED,
    /** No such segment may be sent. */
    BREACH
  }

  final PullRequest request;
  final long startNs;
  private final byte[] states;
  private final int[] reached;
  private final long[] versions;
  private final int[] crcs;
  private final MemorySegment[] destinations;
  private final RunningChecksum checksum = new RunningChecksum();
  private final long creditBytes;
  private volatile boolean isCancelRequested;
  private int streaming = NO_CHUNK;
  private int chunksLeft;
  private int chunksRequested;
  private long transferId;
  private boolean isAnswered;
  private boolean isRetried;
  private long receivedBytes;
  private long grantedBytes;
  private boolean isCreditDue;

  Pull(PullRequest request, long creditBytes, long nowNs) {
    this.request = request;
    this.creditBytes = creditBytes;
    this.startNs = nowNs;
    int size = request.chunks().size();
    states = new byte[size];
    reached = new int[size];
    versions = new long[size];
    crcs = new int[size];
    destinations = new MemorySegment[size];
    for (int i = 0; i < size; i++) {
      PullChunk chunk = request.chunks().get(i);
      reached[i] = chunk.fromOffset();
      versions[i] = chunk.fromOffset() > 0 ? chunk.version() : 0;
      destinations[i] = chunk.destination();
    }
    chunksLeft = size;
    grantedBytes = creditBytes;
  }

  /** Any thread. */
  void requestCancel() {
    isCancelRequested = true;
  }

  boolean isCancelRequested() {
    return isCancelRequested;
  }

  /** Starts over under a new transfer id; old segments can then never match. */
  void begin(long newTransferId) {
    transferId = newTransferId;
    chunksRequested = 0;
  }

  /** Whether the pull may move to a fresh session because nobody has seen it; true only once. */
  boolean retry() {
    boolean first = !isAnswered && !isRetried;
    isRetried = true;
    return first;
  }

  long transferId() {
    return transferId;
  }

  int size() {
    return states.length;
  }

  boolean isEnded() {
    return chunksLeft == 0;
  }

  int chunksRequested() {
    return chunksRequested;
  }

  void requested(int chunks) {
    chunksRequested += chunks;
  }

  boolean isRequested() {
    return chunksRequested == states.length;
  }

  long grantedBytes() {
    return grantedBytes;
  }

  boolean isCreditDue() {
    return isCreditDue;
  }

  void creditSent() {
    isCreditDue = false;
  }

  /** Takes the header of a chunk; false if the holder must not send it so. */
  boolean onHeader(int chunk, long version, int lengthBytes, int fromOffset, int crc32c) {
    isAnswered = true;
    if (!isIn(chunk, WAITING) || version == 0 || streaming != NO_CHUNK) {
      return false;
    }
    PullChunk wanted = request.chunks().get(chunk);
    if (lengthBytes != wanted.lengthBytes()
        || fromOffset != wanted.fromOffset()
        || (wanted.version() != 0 && version != wanted.version())) {
      return false;
    }
    states[chunk] = STREAMING;
    streaming = chunk;
    versions[chunk] = version;
    crcs[chunk] = crc32c;
    checksum.begin(destinations[chunk], fromOffset);
    return true;
  }

  /** Takes a segment. Nothing is written unless it continues its chunk exactly. */
  Outcome onSegment(
      int chunk, long version, int offset, DirectBuffer term, int index, int lengthBytes) {
    if (chunk < 0 || chunk >= states.length || lengthBytes <= 0 || offset < 0) {
      return Outcome.BREACH;
    }
    if (states[chunk] == WAITING || version != versions[chunk]) {
      return Outcome.BREACH;
    }
    int at = reached[chunk];
    if ((long) offset + lengthBytes <= at) {
      return Outcome.IGNORED;
    }
    int chunkBytes = request.chunks().get(chunk).lengthBytes();
    // Of a chunk that has ended the slot is another's.
    if (states[chunk] != STREAMING || offset != at || lengthBytes > chunkBytes - at) {
      return Outcome.BREACH;
    }
    TermMemory.drain(term, index, destinations[chunk], at, lengthBytes);
    checksum.add(at, lengthBytes);
    reached[chunk] = at + lengthBytes;
    receivedBytes += lengthBytes;
    if (grantedBytes - receivedBytes <= creditBytes / 2) {
      grantedBytes = receivedBytes + creditBytes;
      isCreditDue = true;
    }
    return reached[chunk] == chunkBytes ? complete(chunk) : Outcome.WRITTEN;
  }

  private Outcome complete(int chunk) {
    streaming = NO_CHUNK;
    if (checksum.end() != crcs[chunk]) {
      reached[chunk] = 0; // there is nothing to go on with elsewhere
      end(chunk, PullFailure.CORRUPT, versions[chunk]);
      return Outcome.CHUNK_CORRUPT;
    }
    states[chunk] = DONE;
    chunksLeft--;
    request.listener().received(chunk, versions[chunk], crcs[chunk]);
    return Outcome.CHUNK_ENDED;
  }

  /** Takes a refusal; false if the chunk cannot be refused now. */
  boolean onRefused(int chunk, PullFailure reason, long version) {
    isAnswered = true;
    if (!isIn(chunk, WAITING)) {
      return false;
    }
    end(chunk, reason, version != 0 ? version : versions[chunk]);
    return true;
  }

  /** Ends every chunk that has not ended; the number of them. */
  int failAll(PullFailure reason) {
    int failed = 0;
    for (int i = 0; i < states.length; i++) {
      if (states[i] != DONE) {
        end(i, reason, versions[i]);
        failed++;
      }
    }
    return failed;
  }

  private void end(int chunk, PullFailure reason, long version) {
    states[chunk] = DONE;
    chunksLeft--;
    request.listener().failed(chunk, reason, version, reached[chunk]);
  }

  private boolean isIn(int chunk, byte state) {
    return chunk >= 0 && chunk < states.length && states[chunk] == state;
  }
}
