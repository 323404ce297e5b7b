package io.kvasir.benchmarks.reference;

import io.aeron.Subscription;
import io.aeron.logbuffer.FragmentHandler;
import io.aeron.logbuffer.Header;
import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.zip.CRC32C;
import org.agrona.CloseHelper;
import org.agrona.DirectBuffer;

/**
 * Raw Aeron over UDP loopback: a publication in one process, a subscription in this one, no
 * requests, no credits, no index. The receiver copies term buffer → slot, one user-space copy.
 */
public final class RawAeron implements Reference {
  private static final int FRAGMENTS_PER_POLL = 16;

  private final String name;
  private final boolean verify;
  private final boolean checksumOnArrival;
  private final AeronHost host;
  private final Subscription subscription;
  private final ReferenceProcess sender;
  private final PrefaultedFile slots;
  private final ByteBuffer slotBuffer;
  private final ChunkVerifier verifier = new ChunkVerifier();
  private final CRC32C running = new CRC32C();
  private final FragmentHandler onFragment = this::onFragment;

  private final Object lock = new Object();
  private final Thread keeper;
  private volatile boolean closed;

  private int chunkBytes;
  private int[] bytesOfChunk = new int[0];
  private int chunksComplete;

  public RawAeron(AeronSettings settings, Path directory, long slabBytes, boolean verify)
      throws IOException {
    this.name = verify ? "raw-aeron" : "raw-aeron-nocrc";
    this.verify = verify;
    this.checksumOnArrival = verify && settings.checksumOnArrival();
    slots = new PrefaultedFile(directory.resolve(name + "-slots"), slabBytes, 1);
    slotBuffer = slots.memory().asByteBuffer();
    host = new AeronHost(settings, directory.resolve(name + "-driver"));
    String endpoint = "127.0.0.1:" + freeUdpPort();
    subscription =
        host.aeron.addSubscription("aeron:udp?endpoint=" + endpoint, AeronHost.STREAM_ID);
    sender =
        new ReferenceProcess(
            SenderMain.class,
            List.of(
                "aeron",
                settings.toArgument(),
                endpoint,
                directory.resolve(name + "-source").toString(),
                Long.toString(slabBytes)));
    long deadlineNs = ChunkVerifier.deadlineNs();
    while (!subscription.isConnected()) {
      host.invoke();
      ChunkVerifier.checkDeadline(deadlineNs, "the sending process");
    }
    awaitAnswer();
    keeper = Thread.ofPlatform().name("bench-keep-alive").daemon().start(this::keepAlive);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public long deliver(int chunkBytes, int chunks) throws IOException {
    synchronized (lock) {
      return deliverLocked(chunkBytes, chunks);
    }
  }

  private long deliverLocked(int chunkBytes, int chunks) throws IOException {
    sender.send("prepare " + chunkBytes + " " + chunks);
    awaitAnswer();
    this.chunkBytes = chunkBytes;
    bytesOfChunk = new int[chunks];
    chunksComplete = 0;
    verifier.reset();
    running.reset();
    long startNs = System.nanoTime();
    long deadlineNs = ChunkVerifier.deadlineNs();
    sender.send("send " + chunkBytes + " " + chunks);
    while (chunksComplete < chunks || (verify && verifier.verified() < chunks)) {
      int work = host.invoke() + subscription.poll(onFragment, FRAGMENTS_PER_POLL);
      if (work == 0) {
        Thread.onSpinWait();
        ChunkVerifier.checkDeadline(deadlineNs, "chunks");
      }
    }
    long durationNs = System.nanoTime() - startNs;
    verifier.requireAllRight();
    return durationNs;
  }

  private void onFragment(DirectBuffer buffer, int offset, int length, Header header) {
    int chunk = buffer.getInt(offset, ByteOrder.LITTLE_ENDIAN);
    int at = buffer.getInt(offset + 8, ByteOrder.LITTLE_ENDIAN);
    int payloadBytes = length - AeronSender.HEADER_BYTES;
    buffer.getBytes(
        offset + AeronSender.HEADER_BYTES, slotBuffer, chunk * chunkBytes + at, payloadBytes);
    bytesOfChunk[chunk] += payloadBytes;
    if (checksumOnArrival) {
      int start = chunk * chunkBytes + at;
      running.update(slotBuffer.limit(start + payloadBytes).position(start));
    }
    if (bytesOfChunk[chunk] == chunkBytes) {
      chunksComplete++;
      verify(chunk, buffer.getInt(offset + 4, ByteOrder.LITTLE_ENDIAN));
    }
  }

  private void verify(int chunk, int crc32c) {
    if (checksumOnArrival) {
      verifier.verified((int) running.getValue() == crc32c);
      running.reset();
    } else if (verify) {
      verifier.submit(slots.memory().asSlice((long) chunk * chunkBytes, chunkBytes), crc32c);
    }
  }

  /**
   * Waits for the sender's line while the driver of this side goes on: silence would end the
   * stream.
   */
  private void awaitAnswer() throws IOException {
    long deadlineNs = ChunkVerifier.deadlineNs();
    while (!sender.hasAnswer()) {
      host.invoke();
      ChunkVerifier.checkDeadline(deadlineNs, "an answer of the sending process");
    }
    sender.answer();
  }

  /**
   * Keeps the stream alive while other sides are measured: a driver that nobody invokes loses its
   * peers.
   */
  private void keepAlive() {
    while (!closed) {
      synchronized (lock) {
        host.invoke();
      }
      LockSupport.parkNanos(AeronSender.KEEP_ALIVE_NS);
    }
  }

  private static int freeUdpPort() throws IOException {
    try (DatagramSocket socket = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  @Override
  public void close() throws IOException {
    closed = true;
    LockSupport.unpark(keeper);
    try {
      keeper.join(Duration.ofSeconds(5));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    sender.close();
    CloseHelper.closeAll(subscription, host, verifier);
    slots.close();
  }
}
