package io.kvasir.benchmarks.reference;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.RedisCodec;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;

/**
 * {@code GET} of values of chunk size from a redis-server that this class starts on loopback, by
 * Lettuce, pipelined, each value copied into a direct buffer. No checksum.
 */
public final class RedisGet implements Reference {
  private static final Duration DEADLINE = Duration.ofSeconds(60);

  private final Process server;
  private final RedisClient client;
  private final StatefulRedisConnection<String, ByteBuffer> connection;
  private final PrefaultedFile source;
  private final PrefaultedFile slots;
  private final Set<String> stored = new HashSet<>();
  private int storedChunkBytes;

  private RedisGet(String executable, Path directory, long slabBytes) throws IOException {
    source = new PrefaultedFile(directory.resolve("redis-source"), slabBytes, 42);
    slots = new PrefaultedFile(directory.resolve("redis-slots"), slabBytes, 1);
    int port = freePort();
    server =
        new ProcessBuilder(
                executable,
                "--port",
                Integer.toString(port),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
                directory.toString())
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    client =
        RedisClient.create(
            RedisURI.builder().withHost("127.0.0.1").withPort(port).withTimeout(DEADLINE).build());
    connection = connect();
  }

  /** Starts the reference, or nothing where redis-server is not installed. */
  public static Optional<RedisGet> startIfInstalled(Path directory, long slabBytes)
      throws IOException {
    Optional<Path> executable = findExecutable("redis-server");
    return executable.isEmpty()
        ? Optional.empty()
        : Optional.of(new RedisGet(executable.get().toString(), directory, slabBytes));
  }

  static Optional<Path> findExecutable(String program) {
    String path = Optional.ofNullable(System.getenv("PATH")).orElse("");
    return Stream.of(path.split(":", -1))
        .map(folder -> Path.of(folder, program))
        .filter(Files::isExecutable)
        .findFirst();
  }

  @Override
  public String name() {
    return "redis-get";
  }

  @Override
  public long deliver(int chunkBytes, int chunks) throws IOException {
    store(chunkBytes, chunks);
    long startNs = System.nanoTime();
    List<RedisFuture<ByteBuffer>> gets = new ArrayList<>(chunks);
    for (int chunk = 0; chunk < chunks; chunk++) {
      gets.add(connection.async().get(key(chunkBytes, chunk)));
    }
    for (RedisFuture<ByteBuffer> get : gets) {
      await(get);
    }
    return System.nanoTime() - startNs;
  }

  private void store(int chunkBytes, int chunks) throws IOException {
    if (storedChunkBytes != chunkBytes) {
      await(connection.async().flushall());
      stored.clear();
      storedChunkBytes = chunkBytes;
    }
    for (int chunk = 0; chunk < chunks; chunk++) {
      String key = key(chunkBytes, chunk);
      if (stored.add(key)) {
        await(
            connection
                .async()
                .set(
                    key,
                    source.memory().asSlice((long) chunk * chunkBytes, chunkBytes).asByteBuffer()));
      }
    }
  }

  private static String key(int chunkBytes, int chunk) {
    return chunkBytes + ":" + chunk;
  }

  private static <T> T await(RedisFuture<T> future) throws IOException {
    try {
      return future.get(DEADLINE.toSeconds(), TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("KVA-0657 interrupted while waiting for redis-server", e);
    } catch (ExecutionException | TimeoutException e) {
      throw new IOException("KVA-0658 redis-server did not answer - " + e.getMessage(), e);
    }
  }

  private StatefulRedisConnection<String, ByteBuffer> connect() {
    long deadlineNs = ChunkVerifier.deadlineNs();
    while (true) {
      try {
        return client.connect(new DirectCodec(slots.memory()));
      } catch (io.lettuce.core.RedisConnectionException e) {
        ChunkVerifier.checkDeadline(deadlineNs, "redis-server: " + e.getMessage());
        java.util.concurrent.locks.LockSupport.parkNanos(50_000_000);
      }
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  @Override
  public void close() throws IOException {
    connection.close();
    client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
    server.destroy();
    try {
      if (!server.waitFor(5, TimeUnit.SECONDS)) {
        server.destroyForcibly();
      }
    } catch (InterruptedException e) {
      server.destroyForcibly();
      Thread.currentThread().interrupt();
    }
    source.close();
    slots.close();
  }

  /**
   * Values go straight into mapped memory; keys are text. Decodes on one thread, Lettuce's event
   * loop.
   */
  private static final class DirectCodec implements RedisCodec<String, ByteBuffer> {
    private final ByteBuffer slots;

    DirectCodec(MemorySegment slots) {
      this.slots = slots.asByteBuffer();
    }

    @Override
    public String decodeKey(ByteBuffer bytes) {
      return StandardCharsets.UTF_8.decode(bytes).toString();
    }

    @Override
    public ByteBuffer decodeValue(ByteBuffer bytes) {
      if (slots.remaining() < bytes.remaining()) {
        slots.clear();
      }
      slots.put(bytes);
      return slots;
    }

    @Override
    public ByteBuffer encodeKey(String key) {
      return StandardCharsets.UTF_8.encode(key);
    }

    @Override
    public ByteBuffer encodeValue(ByteBuffer value) {
      return value;
    }
  }
}
