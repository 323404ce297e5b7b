package io.kvasir.connectors.reference;

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
import io.kvasir.placement.ContentHashes;
import io.kvasir.placement.Groups;
import io.kvasir.placement.Namespace;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The engine's connection to its node. Every failure ends in a miss: the connection is dropped and
 * made anew for a later prompt, at most once per {@link #RECONNECT_PAUSE_NS}. Not thread-safe.
 */
final class CacheLink implements AutoCloseable {
  /** Loading for longer costs more than it can save here; what is there by then is used. */
  private static final Duration LOAD_LIMIT = Duration.ofSeconds(1);

  /** Of every other call; a store that waits for the index may take a second. */
  private static final Duration CALL_LIMIT = Duration.ofSeconds(2);

  /** A prefill that takes longer is not handed off to its end. */
  private static final Duration HANDOFF_LIMIT = Duration.ofMinutes(1);

  /** Before an index that is late counts as one that knows nothing; 5 ms each. */
  private static final int LOOKUPS_MAX = 3;

  private static final long RECONNECT_PAUSE_NS = 1_000_000_000L;
  private static final String ENGINE_VERSION = "1";
  private static final Logger LOG = LoggerFactory.getLogger(CacheLink.class);

  /** A registered connection. */
  private record Session(KvasirClient client, Space space) {}

  private final ModelConfig config;
  private final Path socket;
  private @Nullable Session session;
  private long lastAttemptNs = System.nanoTime() - RECONNECT_PAUSE_NS;
  private long loads;
  private long failures;
  private long connects;
  private long storedChunks;

  CacheLink(ModelConfig config, Path socket) {
    this.config = config;
    this.socket = socket;
  }

  /**
   * Appends the KV of the leading chunks that the cache has to the empty sequence {@code kv}, at
   * most {@code chunks}, and only those that come sooner than they are computed. After a failure,
   * and when the node does not confirm the load, {@code kv} is empty again.
   */
  CacheLoad load(byte[] hashes, int chunks, KvPool.Sequence kv, PrefillRate rate) {
    if (chunks == 0) {
      return CacheLoad.MISS;
    }
    try {
      final Session open = session();
      if (open != null) {
        final CacheLoad load = load(open, hashes, chunks, kv, rate);
        if (load.chunks() > 0) {
          loads++;
        }
        return load;
      }
    } catch (RuntimeException | InternalError e) { // InternalError: the mapped slab file was cut
      drop("load", e);
    }
    kv.clear();
    return CacheLoad.MISS;
  }

  /**
   * Stores the chunks {@code from .. to} of a prompt, as many as the node takes.
   *
   * @return chunks committed
   */
  int store(byte[] hashes, int from, int to, KvPool.Sequence kv, boolean awaitIndex) {
    try {
      final Session open = session();
      if (open != null) {
        final int stored = store(open, hashes, from, to, kv, awaitIndex);
        storedChunks += stored;
        return stored;
      }
    } catch (RuntimeException | InternalError e) {
      drop("store", e);
    }
    return 0;
  }

  /**
   * Begins to hand the leading chunks of a prompt to a decode node; what the link cannot do is not
   * handed off.
   *
   * @param kv where the prompt is being computed
   */
  ReferenceModel.Progress handOff(
      long handoffId, long decodeNode, byte[] hashes, int chunks, KvPool.Sequence kv) {
    try {
      final Session open = session();
      if (open != null && chunks > 0) {
        final int slices = config.layers();
        open.client()
            .createHandoff(
                handoffId,
                new long[] {decodeNode},
                config.chunkBytes() / slices,
                open.space(),
                0,
                hashOf(hashes, 0),
                hashes,
                chunks,
                HANDOFF_LIMIT);
        final Reservation[] places =
            open.client().reserve(open.space(), 0, hashOf(hashes, 0), hashes, chunks);
        return new HandoffWriter(open, handoffId, places, kv);
      }
    } catch (RuntimeException | InternalError e) {
      drop("hand off", e);
    }
    return (_, _) -> {};
  }

  /** Commits the layers of chunks as the model fills them. A failure ends it, nothing else. */
  private final class HandoffWriter implements ReferenceModel.Progress {
    private final Session open;
    private final long handoffId;
    private final Reservation[] places;
    private final KvPool.Sequence kv;
    private final int[] done = new int[config.layers()];

    private HandoffWriter(Session open, long handoffId, Reservation[] places, KvPool.Sequence kv) {
      this.open = open;
      this.handoffId = handoffId;
      this.places = places;
      this.kv = kv;
    }

    @Override
    public void computed(int layer, int to) {
      final int from = done[layer];
      final int end = Math.min(places.length, to / config.chunkTokens());
      if (!open.client().isOpen() || end <= from) {
        return;
      }
      done[layer] = end;
      try {
        commit(layer, from, end);
        final boolean isLast = layer == config.layers() - 1 && end == places.length;
        if (isLast && !Arrays.stream(places).allMatch(Reservation::isReserved)) {
          // Someone else computes some of the chunks: the decode node need not wait for us.
          open.client().endHandoff(handoffId);
        }
      } catch (RuntimeException | InternalError e) {
        drop("hand off", e);
      }
    }

    private void commit(int layer, int from, int end) {
      final int[] slots = new int[end - from];
      final int[] slices = new int[end - from];
      int count = 0;
      for (int chunk = from; chunk < end; chunk++) {
        final MemorySegment memory = places[chunk].memory();
        if (memory != null) {
          kv.copyLayer(chunk, layer, memory);
          slots[count] = places[chunk].slot();
          slices[count++] = layer;
        }
      }
      if (count > 0) {
        open.client()
            .commitSlices(handoffId, Arrays.copyOf(slots, count), Arrays.copyOf(slices, count));
      }
    }
  }

  /**
   * As {@link #load}, of chunks that a prefill engine hands to the node of this one.
   *
   * @param limit how long to wait for them
   */
  CacheLoad await(long handoffId, byte[] hashes, int chunks, Duration limit, KvPool.Sequence kv) {
    try {
      final Session open = session();
      if (open != null && chunks > 0) {
        return take(
            open,
            open.client()
                .await(handoffId, open.space(), 0, hashOf(hashes, 0), hashes, chunks, limit),
            kv);
      }
    } catch (RuntimeException | InternalError e) {
      drop("await", e);
    }
    kv.clear();
    return CacheLoad.MISS;
  }

  CacheCounters counters() {
    return new CacheCounters(loads, failures, connects, storedChunks);
  }

  @Nullable String nodeStats() {
    try {
      final Session open = session();
      return open == null ? null : open.client().stats();
    } catch (RuntimeException | InternalError e) {
      drop("stats", e);
      return null;
    }
  }

  @Override
  public void close() {
    if (session != null) {
      session.client().goodbye();
      session = null;
    }
  }

  private CacheLoad load(
      Session open, byte[] hashes, int chunks, KvPool.Sequence kv, PrefillRate rate) {
    final byte[] anchor = hashOf(hashes, 0);
    LookupResult known = lookup(open, anchor, hashes, chunks, rate);
    // A partial answer says nothing of peers, and loading what may not be worth it costs more.
    for (int asked = 1; known.partial() && asked < LOOKUPS_MAX; asked++) {
      known = lookup(open, anchor, hashes, chunks, rate);
    }
    final int wanted = known.worth();
    if (wanted == 0) {
      return CacheLoad.MISS;
    }
    // By then they would have been computed.
    final Duration limit = rate.timeFor(wanted * config.chunkTokens(), LOAD_LIMIT);
    return take(open, open.client().acquire(open.space(), 0, anchor, hashes, wanted, limit), kv);
  }

  private static LookupResult lookup(
      Session open, byte[] anchor, byte[] hashes, int chunks, PrefillRate rate) {
    return open.client().lookup(open.space(), 0, anchor, hashes, chunks, rate.tokensPerSecond());
  }

  /** Copies the chunks as they come. */
  private CacheLoad take(Session open, Acquisition acquisition, KvPool.Sequence kv) {
    int local = 0;
    int peer = 0;
    long peerBytes = 0;
    for (LoadedChunk chunk = acquisition.next(); chunk != null; chunk = acquisition.next()) {
      kv.appendPage(chunk.memory());
      if (chunk.source() == ChunkSource.PEER) {
        peer++;
        peerBytes += chunk.memory().byteSize();
      } else {
        local++;
      }
    }
    if (!open.client().release(acquisition)) {
      failures++;
      kv.clear();
      return CacheLoad.MISS;
    }
    return new CacheLoad(local, peer, peerBytes);
  }

  private int store(
      Session open, byte[] hashes, int from, int to, KvPool.Sequence kv, boolean awaitIndex) {
    final int anchor = (int) Groups.anchorPosition(from, config.chunkTokens());
    final Reservation[] reservations =
        open.client()
            .reserve(
                open.space(),
                from,
                hashOf(hashes, anchor),
                Arrays.copyOfRange(
                    hashes, from * ContentHashes.HASH_BYTES, to * ContentHashes.HASH_BYTES),
                to - from);
    final int[] slots = new int[reservations.length];
    int count = 0;
    for (int i = 0; i < reservations.length; i++) {
      final MemorySegment memory = reservations[i].memory();
      if (memory != null) {
        kv.copyPage(from + i, memory);
        slots[count++] = reservations[i].slot();
      }
    }
    if (count == 0) {
      return 0;
    }
    int committed = 0;
    for (final CommitResult result :
        open.client().commit(open.space(), Arrays.copyOf(slots, count), awaitIndex)) {
      if (result.status() == CommitStatus.COMMITTED) {
        committed++;
      }
    }
    return committed;
  }

  private static byte[] hashOf(byte[] hashes, int chunk) {
    return Arrays.copyOfRange(
        hashes, chunk * ContentHashes.HASH_BYTES, (chunk + 1) * ContentHashes.HASH_BYTES);
  }

  /** The open session, a new one, or null when the node could not be reached just now. */
  private @Nullable Session session() {
    if (session != null) {
      return session;
    }
    final long nowNs = System.nanoTime();
    if (nowNs - lastAttemptNs < RECONNECT_PAUSE_NS) {
      return null;
    }
    lastAttemptNs = nowNs;
    final KvasirClient client =
        KvasirClient.connect(
            socket, EngineIdentity.single("reference", ENGINE_VERSION), CALL_LIMIT);
    try {
      final Space space =
          client.register(new SpaceRequest(namespace(), config.chunkTokens(), config.chunkBytes()));
      session = new Session(client, space);
      connects++;
      return session;
    } finally {
      if (session == null) {
        client.close();
      }
    }
  }

  /** All that makes the KV bytes what they are: two engines that differ in it never share. */
  private Namespace namespace() {
    return new Namespace(
        "default",
        null,
        "kvasir-reference",
        String.join(
            ",",
            "hidden=" + config.hidden(),
            "heads=" + config.heads(),
            "feedForward=" + config.feedForward(),
            "vocabulary=" + config.vocabulary(),
            "seed=" + config.seed()),
        null,
        null,
        "float32",
        null,
        config.layers(),
        config.kvHeads(),
        config.headSize(),
        "layer,kv,token,head,dim",
        "half-split,base=" + ModelConfig.ROPE_BASE,
        1,
        "kvasir-sha256/" + config.chunkTokens());
  }

  private void drop(String what, Throwable failure) {
    failures++;
    LOG.warn(
        "KVA-0548 cache call failed, computing instead - call={} socket={}", what, socket, failure);
    if (session != null) {
      session.client().close();
      session = null;
    }
  }
}
