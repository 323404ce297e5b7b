package io.kvasir.node;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.connectors.client.Acquisition;
import io.kvasir.connectors.client.CommitResult;
import io.kvasir.connectors.client.EngineIdentity;
import io.kvasir.connectors.client.KvasirClient;
import io.kvasir.connectors.client.LoadedChunk;
import io.kvasir.connectors.client.LookupResult;
import io.kvasir.connectors.client.Reservation;
import io.kvasir.connectors.client.SliceResults;
import io.kvasir.connectors.client.Space;
import io.kvasir.connectors.client.SpaceRequest;
import io.kvasir.connectors.protocol.ChunkSource;
import io.kvasir.connectors.protocol.CommitStatus;
import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.placement.Namespace;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * An engine without a model: its chunks are filled from their hashes, so that every byte of a load
 * can be checked. Prompts are numbers; two engines of one namespace make the same chunks of one.
 */
public final class TestEngine implements AutoCloseable {
  public static final int CHUNK_TOKENS = 128;
  private static final int PARTIAL_RETRIES_MAX = 1_000;
  private static final Duration TIMEOUT = Duration.ofSeconds(20);
  private static final Duration CONVERGENCE = Duration.ofMinutes(2);

  private final KvasirClient client;
  private final Space space;
  private volatile long lastReadyNs;

  /**
   * What a load brought.
   *
   * @param local chunks that were in the node's slab
   * @param peer chunks that came from other nodes
   * @param reason why there were no more
   */
  public record Load(int local, int peer, EndReason reason) {
    public int chunks() {
      return local + peer;
    }
  }

  private TestEngine(final KvasirClient client, final Space space) {
    this.client = client;
    this.space = space;
  }

  public static TestEngine connect(final Path socket, final String model, final int chunkBytes) {
    final KvasirClient client =
        KvasirClient.connect(socket, EngineIdentity.single("test", "1"), TIMEOUT);
    try {
      return new TestEngine(
          client, client.register(new SpaceRequest(namespace(model), CHUNK_TOKENS, chunkBytes)));
    } catch (final RuntimeException e) {
      client.close();
      throw e;
    }
  }

  public static Namespace namespace(final String model) {
    return new Namespace(
        "default",
        null,
        model,
        null,
        null,
        null,
        "float32",
        null,
        4,
        2,
        32,
        "plain",
        null,
        1,
        "kvasir-sha256/" + CHUNK_TOKENS);
  }

  public KvasirClient client() {
    return client;
  }

  public Space space() {
    return space;
  }

  /** Content hashes of the leading chunks of a prompt. */
  public static byte[] hashes(final long prompt, final int chunks) {
    final MessageDigest sha256;
    try {
      sha256 = MessageDigest.getInstance("SHA-256");
    } catch (final NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
    final byte[] hashes = new byte[chunks * 32];
    byte[] hash = new byte[32];
    for (int i = 0; i < chunks; i++) {
      sha256.update(hash);
      hash = sha256.digest(ByteBuffer.allocate(12).putLong(prompt).putInt(i).array());
      System.arraycopy(hash, 0, hashes, i * 32, 32);
    }
    return hashes;
  }

  /** Asks again while the index was late, which on a busy machine it may be a few times. */
  public LookupResult lookup(final long prompt, final int chunks) {
    return lookup(prompt, chunks, 0);
  }

  /** As an engine that computes so many tokens in a second. */
  public LookupResult lookup(final long prompt, final int chunks, final int tokensPerSecond) {
    final byte[] hashes = hashes(prompt, chunks);
    LookupResult result = client.lookup(space, 0, anchor(hashes), hashes, chunks, tokensPerSecond);
    for (int retries = 0; result.partial() && retries < PARTIAL_RETRIES_MAX; retries++) {
      result = client.lookup(space, 0, anchor(hashes), hashes, chunks, tokensPerSecond);
    }
    return result;
  }

  public Reservation[] reserve(final long prompt, final int chunks) {
    final byte[] hashes = hashes(prompt, chunks);
    return client.reserve(space, 0, anchor(hashes), hashes, chunks);
  }

  /** Stores the leading chunks of a prompt that the node does not have; answers how many. */
  public int store(final long prompt, final int chunks, final boolean awaitIndex) {
    final byte[] hashes = hashes(prompt, chunks);
    final Reservation[] places = client.reserve(space, 0, anchor(hashes), hashes, chunks);
    int[] slots = new int[chunks];
    int count = 0;
    for (int i = 0; i < chunks; i++) {
      final MemorySegment memory = places[i].memory();
      if (memory != null) {
        fill(memory, hashes, i);
        slots[count++] = places[i].slot();
      }
    }
    if (count == 0) {
      return 0;
    }
    slots = Arrays.copyOf(slots, count);
    for (final CommitResult result : client.commit(space, slots, awaitIndex)) {
      if (result.status() != CommitStatus.COMMITTED) {
        throw new AssertionError(result);
      }
    }
    return count;
  }

  public Acquisition acquire(final long prompt, final int chunks) {
    return acquire(prompt, chunks, Duration.ofSeconds(10));
  }

  public Acquisition acquire(final long prompt, final int chunks, final Duration deadline) {
    final byte[] hashes = hashes(prompt, chunks);
    return client.acquire(space, 0, anchor(hashes), hashes, chunks, deadline);
  }

  /** Loads the leading chunks of a prompt and checks every byte of what came. */
  public Load load(final long prompt, final int chunks) {
    return take(prompt, acquire(prompt, chunks));
  }

  /**
   * Loads until all of these chunks have come: a load ends where the index does not answer in time.
   *
   * @param wanted chunks to ask for, perhaps more than there are
   * @return what the first load found in the slab, and all that came from other nodes
   */
  public Load loadAll(final long prompt, final int chunks, final int wanted) {
    final long deadlineNs = System.nanoTime() + CONVERGENCE.toNanos();
    Load load = load(prompt, wanted);
    final int local = load.local();
    int peer = load.peer();
    while (load.chunks() < chunks) {
      assertTrue(System.nanoTime() - deadlineNs < 0, "not loaded in time: " + load);
      load = load(prompt, wanted);
      peer += load.peer();
    }
    return new Load(local, peer, load.reason());
  }

  /** Waits until the node knows where all of these chunks are. */
  public void awaitFound(final long prompt, final int chunks) throws InterruptedException {
    final long deadlineNs = System.nanoTime() + CONVERGENCE.toNanos();
    while (lookup(prompt, chunks).found() < chunks) {
      assertTrue(System.nanoTime() - deadlineNs < 0, "not found in time");
      Thread.sleep(10);
    }
  }

  /** Waits for all chunks of an acquisition, checks every byte, and releases it. */
  public Load take(final long prompt, final Acquisition acquisition) {
    final byte[] hashes = hashes(prompt, Math.max(1, acquisition.chunks()));
    final List<LoadedChunk> chunks = new ArrayList<>();
    for (LoadedChunk chunk = next(acquisition); chunk != null; chunk = next(acquisition)) {
      chunks.add(chunk);
    }
    lastReadyNs = System.nanoTime();
    int local = 0;
    int peer = 0;
    for (final LoadedChunk chunk : chunks) {
      check(chunk.memory(), hashes, chunk.index());
      if (chunk.source() == ChunkSource.LOCAL) {
        local++;
      } else {
        peer++;
      }
    }
    final EndReason reason = Objects.requireNonNull(acquisition.endReason());
    if (!client.release(acquisition)) {
      throw new AssertionError("the load does not count");
    }
    return new Load(local, peer, reason);
  }

  /** When the latest load had got all that it would get; its bytes are checked after that. */
  public long lastReadyNs() {
    return lastReadyNs;
  }

  /** Offers leading chunks of a prompt to another node, slice by slice. */
  public int createHandoff(
      final long id,
      final long[] receivers,
      final int sliceBytes,
      final long prompt,
      final int chunks,
      final Duration deadline) {
    final byte[] hashes = hashes(prompt, chunks);
    return client.createHandoff(
        id, receivers, sliceBytes, space, 0, anchor(hashes), hashes, chunks, deadline);
  }

  /** Writes one slice of a reserved chunk and commits it. */
  public SliceResults handOff(
      final long id,
      final int sliceBytes,
      final long prompt,
      final Reservation[] places,
      final int chunk,
      final int slice) {
    final MemorySegment memory = Objects.requireNonNull(places[chunk].memory());
    final long from = (long) slice * sliceBytes;
    final long bytes = Math.min(sliceBytes, memory.byteSize() - from);
    final long seed = seed(hashes(prompt, places.length), chunk);
    for (long at = from; at < from + bytes; at += Long.BYTES) {
      memory.set(ValueLayout.JAVA_LONG_UNALIGNED, at, word(seed, at / Long.BYTES));
    }
    return client.commitSlices(id, new int[] {places[chunk].slot()}, new int[] {slice});
  }

  public Acquisition await(
      final long id, final long prompt, final int chunks, final Duration deadline) {
    final byte[] hashes = hashes(prompt, chunks);
    return client.await(id, space, 0, anchor(hashes), hashes, chunks, deadline);
  }

  private static @Nullable LoadedChunk next(final Acquisition acquisition) {
    return acquisition.next();
  }

  private static byte[] anchor(final byte[] hashes) {
    return Arrays.copyOf(hashes, 32);
  }

  private static void fill(final MemorySegment memory, final byte[] hashes, final int chunk) {
    final long seed = seed(hashes, chunk);
    final long words = memory.byteSize() / Long.BYTES;
    for (long i = 0; i < words; i++) {
      memory.setAtIndex(ValueLayout.JAVA_LONG_UNALIGNED, i, word(seed, i));
    }
  }

  private static void check(final MemorySegment memory, final byte[] hashes, final int chunk) {
    final long seed = seed(hashes, chunk);
    final long words = memory.byteSize() / Long.BYTES;
    for (long i = 0; i < words; i++) {
      if (memory.getAtIndex(ValueLayout.JAVA_LONG_UNALIGNED, i) != word(seed, i)) {
        throw new AssertionError("wrong bytes - chunk=" + chunk + " word=" + i);
      }
    }
  }

  private static long seed(final byte[] hashes, final int chunk) {
    return ByteBuffer.wrap(hashes, chunk * 32, Long.BYTES).getLong();
  }

  private static long word(final long seed, final long index) {
    return (seed + index) * 0x9E3779B97F4A7C15L;
  }

  @Override
  public void close() {
    client.close();
  }
}
