package io.kvasir.connectors.reference;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kvasir.connectors.client.Acquisition;
import io.kvasir.connectors.client.EngineIdentity;
import io.kvasir.connectors.client.KvasirClient;
import io.kvasir.connectors.client.LoadedChunk;
import io.kvasir.connectors.client.Reservation;
import io.kvasir.connectors.client.Space;
import io.kvasir.connectors.client.SpaceRequest;
import io.kvasir.placement.ContentHashes;
import io.kvasir.placement.Namespace;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;

/**
 * Hands off made-up KV at a given pace, so that a hand-off can be measured against the speed of the
 * network and not against that of a small model. A chunk is 4 MiB, four slices; its bytes are those
 * of one random page with the chunk's number in the first word of each slice. Not thread-safe.
 */
final class PacedHandoff implements AutoCloseable {
  private static final int CHUNK_TOKENS = 256;
  private static final int SLICES = 4;
  private static final int SLICE_BYTES = 1 << 20;
  private static final int CHUNK_BYTES = SLICES * SLICE_BYTES;
  private static final int CHUNKS_MAX = 256;
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final double NANOS_PER_SECOND = 1e9;

  private final KvasirClient client;
  private final Space space;
  private final byte[] page = new byte[SLICE_BYTES];

  private PacedHandoff(KvasirClient client, Space space) {
    this.client = client;
    this.space = space;
    final SplitMix64 random = new SplitMix64(1);
    for (int i = 0; i < SLICE_BYTES; i++) {
      page[i] = (byte) random.nextLong();
    }
  }

  static PacedHandoff connect(Path socket) {
    final KvasirClient client =
        KvasirClient.connect(socket, EngineIdentity.single("paced", "1"), LIMIT);
    try {
      final Namespace namespace =
          new Namespace(
              "default",
              null,
              "kvasir-paced",
              null,
              null,
              null,
              "bytes",
              null,
              SLICES,
              1,
              64,
              "slice",
              null,
              1,
              "kvasir-sha256/" + CHUNK_TOKENS);
      return new PacedHandoff(
          client, client.register(new SpaceRequest(namespace, CHUNK_TOKENS, CHUNK_BYTES)));
    } catch (RuntimeException e) {
      client.close();
      throw e;
    }
  }

  /** Writes the chunks of a prompt slice by slice and commits each; as fast as it can at pace 0. */
  ObjectNode produce(JsonNode request, ObjectNode answer) {
    final int chunks = chunks(request);
    final byte[] hashes = hashes(request, chunks);
    final double bytesPerSecond = request.path("bytesPerSecond").asDouble();
    final long handoffId = ReferenceEngineMain.id(request, "handoff");
    final Reservation[] places = client.reserve(space, 0, anchor(hashes), hashes, chunks);
    client.createHandoff(
        handoffId,
        new long[] {ReferenceEngineMain.id(request, "decodeNode")},
        SLICE_BYTES,
        space,
        0,
        anchor(hashes),
        hashes,
        chunks,
        LIMIT);
    final long startNs = System.nanoTime();
    long bytes = 0;
    for (int chunk = 0; chunk < chunks; chunk++) {
      final MemorySegment memory = places[chunk].memory();
      for (int slice = 0; memory != null && slice < SLICES; slice++) {
        write(memory.asSlice((long) slice * SLICE_BYTES, SLICE_BYTES), chunk);
        bytes += SLICE_BYTES;
        if (bytesPerSecond > 0) {
          waitUntil(startNs + (long) (bytes / bytesPerSecond * NANOS_PER_SECOND));
        }
        client.commitSlices(handoffId, new int[] {places[chunk].slot()}, new int[] {slice});
      }
    }
    final long endNs = System.nanoTime();
    client.endHandoff(handoffId);
    return answer.put("bytes", bytes).put("startNs", startNs).put("endNs", endNs);
  }

  /** Awaits the chunks of a prompt and checks them. */
  ObjectNode consume(JsonNode request, ObjectNode answer) {
    final int chunks = chunks(request);
    final byte[] hashes = hashes(request, chunks);
    final Acquisition acquisition =
        client.await(
            ReferenceEngineMain.id(request, "handoff"),
            space,
            0,
            anchor(hashes),
            hashes,
            chunks,
            ReferenceEngineMain.limit(request));
    final MemorySegment[] come = new MemorySegment[chunks];
    int count = 0;
    for (LoadedChunk chunk = acquisition.next(); chunk != null; chunk = acquisition.next()) {
      come[count++] = chunk.memory();
    }
    // When all have come: checking must not take the sender's time.
    long wrongBytes = 0;
    for (int chunk = 0; chunk < count; chunk++) {
      for (int slice = 0; slice < SLICES; slice++) {
        final MemorySegment part = come[chunk].asSlice((long) slice * SLICE_BYTES, SLICE_BYTES);
        wrongBytes += isRight(part, chunk) ? 0 : SLICE_BYTES;
      }
    }
    if (!client.release(acquisition)) {
      count = 0;
    }
    return answer.put("chunks", count).put("wrongBytes", wrongBytes);
  }

  private void write(MemorySegment slice, int chunk) {
    MemorySegment.copy(page, 0, slice, ValueLayout.JAVA_BYTE, 0, SLICE_BYTES);
    slice.set(ValueLayout.JAVA_LONG_UNALIGNED, 0, chunk);
  }

  private boolean isRight(MemorySegment slice, int chunk) {
    final MemorySegment rest = MemorySegment.ofArray(page).asSlice(Long.BYTES);
    return slice.get(ValueLayout.JAVA_LONG_UNALIGNED, 0) == chunk
        && slice.asSlice(Long.BYTES).mismatch(rest) < 0;
  }

  private static void waitUntil(long timeNs) {
    for (long leftNs = timeNs - System.nanoTime();
        leftNs > 0;
        leftNs = timeNs - System.nanoTime()) {
      LockSupport.parkNanos(leftNs);
    }
  }

  private static int chunks(JsonNode request) {
    final int chunks = request.path("chunks").asInt();
    if (chunks < 1 || chunks > CHUNKS_MAX) {
      throw new IllegalArgumentException(
          "KVA-0557 too many chunks or none - chunks=" + chunks + " (limit=" + CHUNKS_MAX + ")");
    }
    return chunks;
  }

  private static byte[] hashes(JsonNode request, int chunks) {
    final int[] tokens = new int[chunks * CHUNK_TOKENS];
    tokens[0] = request.path("prompt").asInt();
    return ContentHashes.chunkHashes(tokens, CHUNK_TOKENS);
  }

  private static byte[] anchor(byte[] hashes) {
    return Arrays.copyOf(hashes, ContentHashes.HASH_BYTES);
  }

  @Override
  public void close() {
    client.goodbye();
  }
}
