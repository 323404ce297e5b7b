package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.aeron.Aeron;
import io.aeron.ExclusivePublication;
import io.aeron.driver.MediaDriver;
import io.aeron.driver.ThreadingMode;
import io.aeron.logbuffer.BufferClaim;
import io.aeron.protocol.DataHeaderFlyweight;
import io.aeron.protocol.HeaderFlyweight;
import io.aeron.protocol.SetupFlyweight;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.codec.ChunkHeaderEncoder;
import io.kvasir.transport.codec.DataHelloEncoder;
import io.kvasir.transport.codec.HelloEncoder;
import io.kvasir.transport.codec.MessageHeaderEncoder;
import io.kvasir.transport.codec.PullRequestEncoder;
import io.kvasir.transport.codec.SegmentEncoder;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Objects;
import java.util.Random;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Anyone may send to the port: garbage, half an Aeron, and whole Aeron publications of nonsense.
 */
@Timeout(600)
final class StrangersTest {
  private static final int DATAGRAMS = Boolean.getBoolean("kvasir.full") ? 1_000_000 : 50_000;
  private static final int MESSAGES = Boolean.getBoolean("kvasir.full") ? 200_000 : 20_000;
  private static final int[] TEMPLATES = {1, 2, 3, 4, 5, 6, 7, 8, 20, 21, 22, 99};
  private static final ChunkKey KEY = Payload.key(1);
  private final long seed = System.nanoTime();
  private final Random random = new Random(seed);
  private final Peers peers = new Peers();

  @AfterEach
  void closePeers() throws IOException {
    peers.close();
  }

  private static void assertServes(Peers.Peer reader, Peers.Peer holder)
      throws InterruptedException {
    PullChunk chunk = new PullChunk(KEY, 1, reader.memory(300_000), 300_000, 0, 0);
    TestPull.of(chunk)
        .start(reader.transport, holder.config.nodeId(), holder.endpoint())
        .await()
        .assertReceived(0);
    holder.awaitNoPins();
  }

  @Test
  void shouldServeOnWhenStrangersSendGarbageDatagrams() throws Exception {
    System.out.println("seed=" + seed + " datagrams=" + DATAGRAMS);
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = peers.start(2);
    holder.source.add(KEY, 7, 300_000);
    assertServes(reader, holder);
    Endpoint target = Objects.requireNonNull(Endpoint.parse(holder.endpoint()));
    try (DatagramSocket socket = new DatagramSocket()) {
      byte[] bytes = new byte[2_048];
      for (int i = 0; i < DATAGRAMS; i++) {
        int length = garbage(bytes);
        socket.send(
            new DatagramPacket(bytes, length, InetAddress.getLoopbackAddress(), target.port()));
        if (i % 10_000 == 9_999) {
          assertServes(reader, holder);
        }
      }
    }
    assertServes(reader, holder);
    TransportStats stats = holder.transport.stats();
    System.out.println(stats);
    assertEquals(1, stats.driverStarts());
    assertTrue(stats.framesDropped() > 0);
  }

  private int garbage(byte[] bytes) {
    random.nextBytes(bytes);
    UnsafeBuffer frame = new UnsafeBuffer(bytes);
    int length = random.nextInt(200);
    if (random.nextInt(10) == 0) {
      return length;
    }
    // A believable header, so that the frame gets past the first check.
    int[] types = {0, 1, 2, 3, 4, 5, 6, 7, 0xFFFF};
    frame.putInt(HeaderFlyweight.FRAME_LENGTH_FIELD_OFFSET, random.nextInt(10) == 0 ? 0 : length);
    frame.putByte(HeaderFlyweight.VERSION_FIELD_OFFSET, (byte) 0);
    frame.putShort(
        HeaderFlyweight.TYPE_FIELD_OFFSET,
        (short) types[random.nextInt(types.length)],
        ByteOrder.LITTLE_ENDIAN);
    frame.putInt(DataHeaderFlyweight.STREAM_ID_FIELD_OFFSET, 1 + random.nextInt(3));
    if (random.nextInt(3) == 0) {
      frame.putShort(
          HeaderFlyweight.TYPE_FIELD_OFFSET,
          (short) HeaderFlyweight.HDR_TYPE_SETUP,
          ByteOrder.LITTLE_ENDIAN);
      SetupFlyweight setup = new SetupFlyweight();
      setup.wrap(bytes);
      setup
          .streamId(1 + random.nextInt(3))
          .activeTermId(random.nextInt(4))
          .initialTermId(random.nextInt(4))
          .termLength(1 << random.nextInt(31))
          .mtuLength(random.nextInt(70_000))
          .termOffset(random.nextInt(1 << 20));
      frame.putInt(HeaderFlyweight.FRAME_LENGTH_FIELD_OFFSET, SetupFlyweight.HEADER_LENGTH);
      length = SetupFlyweight.HEADER_LENGTH;
    }
    return length;
  }

  @Test
  void shouldServeOnWhenStrangersPublishNonsense() throws Exception {
    System.out.println("seed=" + seed + " messages=" + MESSAGES);
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = peers.start(2);
    holder.source.add(KEY, 7, 300_000);
    try (Stranger stranger = new Stranger(holder.endpoint())) {
      int opened = 0;
      for (int sent = 0; sent < MESSAGES; ) {
        boolean introduces = random.nextInt(4) != 0;
        ExclusivePublication to = stranger.publish(random.nextBoolean() ? 1 : 2);
        if (introduces && to.streamId() == Streams.CONTROL) {
          stranger.hello(to, holder.transport, 1_000 + random.nextInt(3));
          opened++;
        }
        // A refused publication is not read on, so a burst ends at the first refusal.
        for (int i = 0; i < 200 && to.isConnected(); i++) {
          sent += nonsense(stranger, to) ? 1 : 0;
          stranger.turn();
        }
        sent += 50;
        to.close();
      }
      assertServes(reader, holder);
      TransportStats stats = holder.transport.stats();
      System.out.println(stats);
      assertTrue(stats.protocolErrors() > 0);
      assertEquals(1 + opened, stats.sessionsOpened());
      assertEquals(1, stats.driverStarts());
    }
    Peers.await(
        () -> "serves end " + holder.transport.stats(),
        () -> holder.transport.stats().servesInFlight() == 0);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3, 255})
  void shouldRefuseAPullWhenItsClassIsNone(int trafficClass) {
    Peers.Peer holder = peers.start(2);
    try (Stranger stranger = new Stranger(holder.endpoint())) {
      ExclusivePublication to = stranger.publish(Streams.CONTROL);
      stranger.hello(to, holder.transport, 1_000);
      sendPull(stranger, to, 1, TrafficClass.DEMAND.code());
      Peers.await(
          () -> "a pull of a class is answered",
          () -> {
            stranger.turn();
            return holder.source.requests.get() == 1;
          });
      assertEquals(0, holder.transport.stats().protocolErrors());
      sendPull(stranger, to, 2, trafficClass);
      Peers.await(
          () -> "refused " + holder.transport.stats(),
          () -> {
            stranger.turn();
            return holder.transport.stats().protocolErrors() == 1;
          });
      assertEquals(1, holder.source.requests.get());
    }
  }

  private static void sendPull(
      Stranger stranger, ExclusivePublication to, long transferId, int trafficClass) {
    int length =
        MessageHeaderEncoder.ENCODED_LENGTH
            + PullRequestEncoder.BLOCK_LENGTH
            + PullRequestEncoder.ChunksEncoder.sbeHeaderSize()
            + PullRequestEncoder.ChunksEncoder.sbeBlockLength();
    assertTrue(to.tryClaim(length, stranger.claim) > 0);
    new PullRequestEncoder()
        .wrapAndApplyHeader(
            stranger.claim.buffer(), stranger.claim.offset(), new MessageHeaderEncoder())
        .transferId(transferId)
        .grantedBytes(1 << 20)
        .remainingNs(Duration.ofSeconds(5).toNanos())
        .namespaceTag(1)
        .epoch(0)
        .firstChunk(0)
        .totalChunks(1)
        .trafficClass((short) trafficClass)
        .chunksCount(1)
        .next()
        .key0(KEY.w0())
        .key1(KEY.w1())
        .key2(KEY.w2())
        .key3(KEY.w3())
        .group(1)
        .version(0)
        .fromOffset(0)
        .lengthBytes(100);
    stranger.claim.commit();
  }

  private boolean nonsense(Stranger stranger, ExclusivePublication to) {
    int length = random.nextInt(300);
    if (to.tryClaim(length, stranger.claim) <= 0) {
      return false;
    }
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    UnsafeBuffer message = new UnsafeBuffer(ByteBuffer.wrap(bytes));
    if (length >= MessageHeaderEncoder.ENCODED_LENGTH && random.nextInt(8) != 0) {
      MessageHeaderEncoder header = new MessageHeaderEncoder().wrap(message, 0);
      header.schemaId(1).version(1).templateId(TEMPLATES[random.nextInt(TEMPLATES.length)]);
      int[] blocks = {
        HelloEncoder.BLOCK_LENGTH,
        PullRequestEncoder.BLOCK_LENGTH,
        DataHelloEncoder.BLOCK_LENGTH,
        ChunkHeaderEncoder.BLOCK_LENGTH,
        SegmentEncoder.BLOCK_LENGTH,
        random.nextInt(65_536)
      };
      header.blockLength(blocks[random.nextInt(blocks.length)]);
    }
    stranger.claim.buffer().putBytes(stranger.claim.offset(), bytes);
    stranger.claim.commit();
    return true;
  }

  /** Somebody with a whole Aeron of his own, and nothing sensible to say. */
  private final class Stranger implements AutoCloseable {
    private final MediaDriver driver;
    private final Aeron aeron;
    private final String channel;
    private final String ownEndpoint;
    final BufferClaim claim = new BufferClaim();

    Stranger(String endpoint) {
      String directory = peers.directory().resolve("stranger").toString();
      channel = "aeron:udp?endpoint=" + endpoint + "|term-length=64k|linger=0";
      driver =
          MediaDriver.launch(
              new MediaDriver.Context()
                  .aeronDirectoryName(directory)
                  .dirDeleteOnShutdown(true)
                  .errorHandler(error -> {})
                  .asyncExecutorEnabled(false)
                  .threadingMode(ThreadingMode.INVOKER));
      aeron =
          Aeron.connect(
              new Aeron.Context()
                  .aeronDirectoryName(directory)
                  .errorHandler(error -> {})
                  .useConductorAgentInvoker(true)
                  .driverAgentInvoker(driver.sharedAgentInvoker()));
      ownEndpoint =
          Objects.requireNonNull(
              aeron
                  .addSubscription("aeron:udp?endpoint=127.0.0.1:0", Streams.CONTROL)
                  .resolvedEndpoint());
    }

    void turn() {
      driver.sharedAgentInvoker().invoke();
      aeron.conductorAgentInvoker().invoke();
    }

    ExclusivePublication publish(int stream) {
      ExclusivePublication publication = aeron.addExclusivePublication(channel, stream);
      Peers.await(
          () -> "stranger is received",
          () -> {
            turn();
            return publication.isConnected();
          });
      return publication;
    }

    /** A proper handshake: the holder's answer is received, so the session opens. */
    void hello(ExclusivePublication to, Transport holder, long nodeId) {
      TransportConfig config = peers.config(nodeId).build();
      Identity identity = Identity.of(config, new java.security.SecureRandom());
      long openedBefore = holder.stats().sessionsOpened();
      assertTrue(new ControlWriter().hello(to, identity, random.nextLong(), ownEndpoint));
      Peers.await(
          () -> "session opens " + holder.stats(),
          () -> {
            turn();
            return holder.stats().sessionsOpened() > openedBefore;
          });
    }

    @Override
    public void close() {
      aeron.close();
      driver.close();
    }
  }
}
