package io.kvasir.cli.replay;

import io.kvasir.connectors.client.Acquisition;
import io.kvasir.connectors.client.CommitResult;
import io.kvasir.connectors.client.EngineIdentity;
import io.kvasir.connectors.client.KvasirClient;
import io.kvasir.connectors.client.LoadedChunk;
import io.kvasir.connectors.client.LookupResult;
import io.kvasir.connectors.client.Reservation;
import io.kvasir.connectors.client.Space;
import io.kvasir.connectors.client.SpaceRequest;
import io.kvasir.connectors.protocol.ChunkSource;
import io.kvasir.connectors.protocol.CommitStatus;
import io.kvasir.placement.Groups;
import io.kvasir.placement.Namespace;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ObjIntConsumer;

/**
 * The engine of one host in a replay: instead of keys and values it stores bytes that prove
 * themselves. One thread. Throws {@link io.kvasir.connectors.client.NodeUnavailableException} when
 * its node is gone.
 */
final class TraceEngine implements AutoCloseable {
  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(10);

  /** No request may wait longer than a second, the rest of it included. */
  private static final Duration LOAD_DEADLINE = Duration.ofMillis(800);

  private static final int HASH_BYTES = 32;
  private static final int WINDOW_CHUNKS_MAX = 256;

  private final KvasirClient client;
  private final Space space;
  private final int windowChunks;
  private final MessageDigest sha256 = sha256();

  /**
   * Connects to a node.
   *
   * @param slabBytes of the node: only a small part of it is pinned or reserved at once
   */
  TraceEngine(Path socket, int chunkBytes, long slabBytes) {
    client = KvasirClient.connect(socket, EngineIdentity.single("trace-replay", "1"), CALL_TIMEOUT);
    Namespace namespace =
        new Namespace(
            "default",
            null,
            "trace",
            null,
            null,
            null,
            "uint64",
            null,
            1,
            1,
            1,
            "self-proving",
            null,
            1,
            "trace-block-id/" + Trace.BLOCK_TOKENS);
    space = client.register(new SpaceRequest(namespace, Trace.BLOCK_TOKENS, chunkBytes));
    windowChunks = Math.clamp(slabBytes / 8 / chunkBytes, 1, WINDOW_CHUNKS_MAX);
  }

  /**
   * What a load brought.
   *
   * @param blocks leading blocks whose load counts
   * @param localBlocks of those, blocks that were in the own node's slab
   * @param wrongBytes bytes that did not prove themselves
   */
  record Loaded(int blocks, int localBlocks, long wrongBytes) {
    Loaded plus(Loaded other) {
      return new Loaded(
          blocks + other.blocks, localBlocks + other.localBlocks, wrongBytes + other.wrongBytes);
    }
  }

  /** Loads the leading blocks that the cluster has and proves each. */
  Loaded load(Trace.Request request, long writersMax) {
    int blocks = request.blockIds().length;
    LookupResult known =
        client.lookup(space, 0, anchor(request, 0), hashes(request, 0, blocks), blocks, 0);
    // A partial answer says nothing of peers; ACQUIRE gives the index more time.
    int found = known.partial() ? blocks : known.found();
    Loaded loaded = new Loaded(0, 0, 0);
    while (loaded.blocks() < found) {
      int wanted = Math.min(windowChunks, found - loaded.blocks());
      Loaded window = loadWindow(request, loaded.blocks(), wanted, writersMax);
      loaded = loaded.plus(window);
      if (window.blocks() < wanted) {
        break;
      }
    }
    return loaded;
  }

  private Loaded loadWindow(Trace.Request request, int from, int count, long writersMax) {
    Acquisition acquisition =
        client.acquire(
            space, from, anchor(request, from), hashes(request, from, count), count, LOAD_DEADLINE);
    Loaded loaded = new Loaded(0, 0, 0);
    for (LoadedChunk chunk = acquisition.next(); chunk != null; chunk = acquisition.next()) {
      int blockId = request.blockIds()[from + chunk.index()];
      long wrongBytes = SelfProvingPayload.wrongBytes(chunk.memory(), blockId, writersMax);
      loaded = loaded.plus(new Loaded(1, chunk.source() == ChunkSource.LOCAL ? 1 : 0, wrongBytes));
    }
    return client.release(acquisition) ? loaded : new Loaded(0, 0, 0);
  }

  /**
   * Stores the blocks from {@code from} on that the node does not have, and waits until the whole
   * cluster can find them.
   *
   * @param writer number that the payload names as its writer
   * @param stored told the slab memory and the block's position for each block that was written
   * @return blocks that found no room
   */
  int store(Trace.Request request, int from, long writer, ObjIntConsumer<MemorySegment> stored) {
    int refused = 0;
    for (int at = from; at < request.blockIds().length; at += windowChunks) {
      int count = Math.min(windowChunks, request.blockIds().length - at);
      refused += storeWindow(request, at, count, writer, stored);
    }
    return refused;
  }

  private int storeWindow(
      Trace.Request request,
      int from,
      int count,
      long writer,
      ObjIntConsumer<MemorySegment> stored) {
    Reservation[] reservations =
        client.reserve(space, from, anchor(request, from), hashes(request, from, count), count);
    List<Integer> written = new ArrayList<>(count);
    int refused = 0;
    for (int i = 0; i < count; i++) {
      MemorySegment memory = reservations[i].memory();
      if (memory != null) {
        SelfProvingPayload.write(memory, request.blockIds()[from + i], writer);
        written.add(i);
      } else {
        refused +=
            switch (reservations[i].status()) {
              case NO_SPACE, OVER_SHARE -> 1;
              case RESERVED, ALREADY, BUSY -> 0;
            };
      }
    }
    if (!written.isEmpty()) {
      int[] slots = written.stream().mapToInt(i -> reservations[i].slot()).toArray();
      CommitResult[] results = client.commit(space, slots, true);
      for (int i = 0; i < results.length; i++) {
        MemorySegment memory = reservations[written.get(i)].memory();
        if (results[i].status() != CommitStatus.COMMITTED) {
          refused++;
        } else if (memory != null) {
          stored.accept(memory, from + written.get(i));
        }
      }
    }
    return refused;
  }

  String stats() {
    return client.stats();
  }

  private byte[] anchor(Trace.Request request, int position) {
    return hashes(request, (int) Groups.anchorPosition(position, Trace.BLOCK_TOKENS), 1);
  }

  /**
   * The trace's ids name a prefix, as content hashes do; SHA-256 spreads them over the key space.
   */
  private byte[] hashes(Trace.Request request, int from, int count) {
    byte[] hashes = new byte[count * HASH_BYTES];
    ByteBuffer id = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      id.putInt(0, request.blockIds()[from + i]);
      System.arraycopy(sha256.digest(id.array()), 0, hashes, i * HASH_BYTES, HASH_BYTES);
    }
    return hashes;
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  @Override
  public void close() {
    client.close();
  }
}
