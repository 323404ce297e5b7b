package io.kvasir.transport;

import io.kvasir.placement.ChunkKey;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.jspecify.annotations.Nullable;

/**
 * The holder's side of a pull. The lane thread assembles it from the request's frames, then streams
 * the chunks in the order of their answers, which come from any thread: a chunk that is not at hand
 * yet keeps no other one waiting.
 *
 * <pre>
 *   OPEN --&gt; ANSWERING --&gt; FOUND ----last byte copied--&gt; CLOSED (finished is called)
 *                  \------&gt; REFUSED --peer was told----&gt; CLOSED
 *   a pull that ends early closes every chunk; an answer that comes later finishes at once
 * </pre>
 */
final class Serve implements ServeRequest {
  static final int OPEN = 0;
  static final int FOUND = 1;
  static final int REFUSED = 2;
  private static final int CLOSED = 3;
  private static final int ANSWERING = 4;

  private static final int NO_CHUNK = -1;

  final long transferId;
  final Session session;
  final long deadlineNs;
  final TrafficClass trafficClass;
  private final ChunkSource source;
  private final Runnable wakeLane;
  private final Thread lane;
  private final int namespaceTag;
  private final int epoch;
  private final ChunkKey[] keys;
  private final long[] groups;
  private final long[] versionsWanted;
  private final int[] fromOffsets;
  private final int[] lengths;
  private final AtomicIntegerArray states;

  /** Chunk numbers plus one, in the order of the answers; 0 where none has come yet. */
  private final AtomicIntegerArray order;

  private final AtomicInteger answers = new AtomicInteger();
  private final @Nullable MemorySegment[] memories;
  private final long[] versions;
  private final int[] crcs;
  private final PullFailure[] reasons;
  private int chunksKnown;
  private long grantedBytes;
  private long sentBytes;
  private int chunksClosed;
  private int chunk = NO_CHUNK;
  private int offset;
  private boolean isHeaderSent;

  /** The parts of a request that each of its frames repeats. */
  record Head(
      TrafficClass trafficClass,
      long transferId,
      int namespaceTag,
      int epoch,
      int chunks,
      long deadlineNs) {}

  Serve(Session session, Head head, long grantedBytes, ChunkSource source, Runnable wakeLane) {
    this.session = session;
    this.trafficClass = head.trafficClass();
    this.transferId = head.transferId();
    this.deadlineNs = head.deadlineNs();
    this.namespaceTag = head.namespaceTag();
    this.epoch = head.epoch();
    this.grantedBytes = grantedBytes;
    this.source = source;
    this.wakeLane = wakeLane;
    this.lane = Thread.currentThread();
    int size = head.chunks();
    keys = new ChunkKey[size];
    groups = new long[size];
    versionsWanted = new long[size];
    fromOffsets = new int[size];
    lengths = new int[size];
    states = new AtomicIntegerArray(size);
    order = new AtomicIntegerArray(size);
    memories = new MemorySegment[size];
    versions = new long[size];
    crcs = new int[size];
    reasons = new PullFailure[size];
  }

  /** Adds the next chunk of the request. */
  void add(ChunkKey key, long group, long version, int fromOffset, int lengthBytes) {
    int i = chunksKnown++;
    keys[i] = key;
    groups[i] = group;
    versionsWanted[i] = version;
    fromOffsets[i] = fromOffset;
    lengths[i] = lengthBytes;
  }

  int chunksKnown() {
    return chunksKnown;
  }

  boolean isComplete() {
    return chunksKnown == keys.length;
  }

  @Override
  public long peerNodeId() {
    return session.peerNodeId;
  }

  @Override
  public int namespaceTag() {
    return namespaceTag;
  }

  @Override
  public int epoch() {
    return epoch;
  }

  @Override
  public int size() {
    return keys.length;
  }

  @Override
  public ChunkKey key(int index) {
    return keys[index];
  }

  @Override
  public long group(int index) {
    return groups[index];
  }

  @Override
  public long version(int index) {
    return versionsWanted[index];
  }

  @Override
  public void found(int index, MemorySegment memory, long version, int crc32c) {
    if (!memory.isNative() || !memory.isAccessibleBy(lane) || version == 0) {
      throw new IllegalArgumentException(
          "KVA-0404 answer to a peer rejected - chunk="
              + index
              + " native="
              + memory.isNative()
              + " version="
              + version
              + "; give native memory that every thread may read, and a version");
    }
    if (begin(index)) {
      memories[index] = memory;
      versions[index] = version;
      crcs[index] = crc32c;
      if (states.compareAndSet(index, ANSWERING, FOUND)) {
        queue(index);
        return;
      }
    }
    source.finished(this, index);
  }

  @Override
  public void refused(int index, PullFailure reason) {
    if (begin(index)) {
      reasons[index] = reason;
      if (states.compareAndSet(index, ANSWERING, REFUSED)) {
        queue(index);
      }
    }
  }

  private void queue(int index) {
    order.setRelease(answers.getAndIncrement(), index + 1);
    wakeLane.run();
  }

  /** Takes the right to answer a chunk; false if the pull has ended meanwhile. */
  private boolean begin(int index) {
    int before = states.compareAndExchange(index, OPEN, ANSWERING);
    if (before != OPEN && before != CLOSED) {
      throw new IllegalStateException("KVA-0410 chunk answered twice - chunk=" + index);
    }
    return before == OPEN;
  }

  // The rest is the lane's.

  boolean isEnded() {
    return chunksClosed == keys.length;
  }

  int chunk() {
    return chunk;
  }

  /** What became of the chunk whose turn it is; OPEN as long as no other answer has come. */
  int state() {
    if (chunk == NO_CHUNK) {
      chunk = order.getAcquire(chunksClosed) - 1;
    }
    return chunk == NO_CHUNK ? OPEN : states.getAcquire(chunk);
  }

  void grant(long bytes) {
    grantedBytes = Math.max(grantedBytes, bytes);
  }

  long creditLeft() {
    return grantedBytes - sentBytes;
  }

  boolean isHeaderSent() {
    return isHeaderSent;
  }

  /** Why the found chunk cannot answer the request, or null. */
  @Nullable PullFailure mismatch() {
    if (versionsWanted[chunk] != 0 && versionsWanted[chunk] != versions[chunk]) {
      return PullFailure.VERSION_MISMATCH;
    }
    return memory().byteSize() == lengths[chunk] ? null : PullFailure.LENGTH_MISMATCH;
  }

  PullFailure reason() {
    return reasons[chunk];
  }

  MemorySegment memory() {
    MemorySegment memory = memories[chunk];
    if (memory == null) {
      throw new IllegalStateException("chunk was not found");
    }
    return memory;
  }

  long foundVersion() {
    return versions[chunk];
  }

  int crc32c() {
    return crcs[chunk];
  }

  int fromOffset() {
    return fromOffsets[chunk];
  }

  int lengthBytes() {
    return lengths[chunk];
  }

  int offset() {
    return offset;
  }

  void headerSent() {
    isHeaderSent = true;
    offset = fromOffsets[chunk];
  }

  /** Notes a sent segment; true if the chunk is sent whole. */
  boolean sent(int bytes) {
    offset += bytes;
    sentBytes += bytes;
    return offset == lengths[chunk];
  }

  /** Closes the current chunk and goes on to the next one. */
  void nextChunk() {
    release(chunk);
    chunk = NO_CHUNK;
    chunksClosed++;
    isHeaderSent = false;
  }

  /** Gives up: every found chunk is finished, now or when its answer comes. */
  void end() {
    for (int i = 0; i < keys.length; i++) {
      release(i);
    }
    chunksClosed = keys.length;
  }

  private void release(int index) {
    if (states.getAndSet(index, CLOSED) == FOUND) {
      memories[index] = null;
      source.finished(this, index);
    }
  }
}
