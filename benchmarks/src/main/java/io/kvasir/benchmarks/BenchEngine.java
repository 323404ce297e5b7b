package io.kvasir.benchmarks;

import io.kvasir.connectors.client.Acquisition;
import io.kvasir.connectors.client.CommitResult;
import io.kvasir.connectors.client.EngineIdentity;
import io.kvasir.connectors.client.KvasirClient;
import io.kvasir.connectors.client.LookupResult;
import io.kvasir.connectors.client.Reservation;
import io.kvasir.connectors.client.Space;
import io.kvasir.connectors.client.SpaceRequest;
import io.kvasir.connectors.protocol.CommitStatus;
import io.kvasir.placement.Namespace;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;

/** An engine that stores and loads made-up chunks of one size. One thread. */
final class BenchEngine implements AutoCloseable {
  static final int CHUNK_TOKENS = 256;
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  private final KvasirClient client;
  private final Space space;

  BenchEngine(Path socket, int chunkBytes) {
    client = KvasirClient.connect(socket, EngineIdentity.single("bench", "1"), TIMEOUT);
    Namespace namespace =
        new Namespace(
            "default",
            null,
            "bench",
            null,
            null,
            null,
            "uint8",
            null,
            1,
            1,
            1,
            "bytes-" + chunkBytes,
            null,
            1,
            "bench/" + CHUNK_TOKENS);
    space = client.register(new SpaceRequest(namespace, CHUNK_TOKENS, chunkBytes));
  }

  /**
   * Stores chunks {@code from} to the end of {@code prefix}, and waits until the cluster can find
   * them.
   */
  void store(BenchPrefix prefix, int from, MemorySegment content) {
    int count = prefix.chunks() - from;
    Reservation[] reservations =
        client.reserve(space, from, prefix.anchor(from), prefix.hashes(from, count), count);
    int[] slots = new int[count];
    for (int i = 0; i < count; i++) {
      MemorySegment memory = reservations[i].memory();
      if (memory == null) {
        throw new IllegalStateException(
            "KVA-0660 chunk not stored - chunk="
                + (from + i)
                + " status="
                + reservations[i].status());
      }
      memory.copyFrom(content.asSlice(0, memory.byteSize()));
      slots[i] = reservations[i].slot();
    }
    for (CommitResult result : client.commit(space, slots, true)) {
      if (result.status() != CommitStatus.COMMITTED) {
        throw new IllegalStateException("KVA-0661 chunk not committed - status=" + result.status());
      }
    }
  }

  LookupResult lookup(BenchPrefix prefix) {
    return client.lookup(space, 0, prefix.anchor(0), prefix.hashes(), prefix.chunks(), 0);
  }

  Acquisition acquire(BenchPrefix prefix) {
    return client.acquire(space, 0, prefix.anchor(0), prefix.hashes(), prefix.chunks(), TIMEOUT);
  }

  void release(Acquisition acquisition) {
    if (!client.release(acquisition)) {
      throw new IllegalStateException("KVA-0662 load did not count");
    }
  }

  @Override
  public void close() {
    client.close();
  }
}
