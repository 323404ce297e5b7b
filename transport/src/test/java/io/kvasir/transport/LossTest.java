package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.aeron.driver.MediaDriver;
import io.aeron.driver.ext.DebugReceiveChannelEndpoint;
import io.aeron.driver.ext.LossGenerator;
import io.aeron.driver.ext.RandomLossGenerator;
import io.kvasir.placement.ChunkKey;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(240)
final class LossTest {
  private final Peers peers = new Peers();

  @AfterEach
  void closePeers() throws IOException {
    peers.close();
  }

  /** Drops received frames and counts them; a fault that never fires proves nothing. */
  private static final class CountedLoss implements LossGenerator {
    private final RandomLossGenerator random;
    private final AtomicLong dropped;

    CountedLoss(double rate, long seed, AtomicLong dropped) {
      this.random = new RandomLossGenerator(rate, seed);
      this.dropped = dropped;
    }

    @Override
    public boolean shouldDropFrame(InetSocketAddress from, UnsafeBuffer buffer, int length) {
      boolean drop = random.shouldDropFrame(from, buffer, length);
      if (drop) {
        dropped.incrementAndGet();
      }
      return drop;
    }
  }

  private static Consumer<MediaDriver.Context> losing(double rate, long seed, AtomicLong dropped) {
    return driver ->
        driver.receiveChannelEndpointSupplier(
            (channel, dispatcher, status, context) ->
                new DebugReceiveChannelEndpoint(
                    channel,
                    dispatcher,
                    status,
                    context,
                    new CountedLoss(rate, seed, dropped),
                    new CountedLoss(rate, seed + 1, dropped)));
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.01, 0.10})
  void shouldDeliverEveryByteWhenFramesAreLost(double rate) throws InterruptedException {
    long seed = System.nanoTime();
    System.out.println("seed=" + seed);
    AtomicLong dropped = new AtomicLong();
    Peers.Peer reader = peers.start(1, b -> b.mtuBytes(8_192), losing(rate, seed, dropped));
    Peers.Peer holder = peers.start(2, b -> b.mtuBytes(8_192), losing(rate, seed + 9, dropped));
    int length = 4 << 20;
    PullChunk[] chunks = new PullChunk[4];
    for (int i = 0; i < chunks.length; i++) {
      ChunkKey key = Payload.key(i);
      holder.source.add(key, 3, length);
      chunks[i] = new PullChunk(key, 1, reader.memory(length), length, 0, 0);
    }
    long startNs = System.nanoTime();
    TestPull pull = TestPull.of(chunks).start(reader.transport, 2, holder.endpoint()).await();
    long tookNs = System.nanoTime() - startNs;
    for (int i = 0; i < chunks.length; i++) {
      pull.assertReceived(i);
    }
    System.out.printf(
        "loss %.0f %%: %.3f GB/s, %d frames dropped%n",
        100 * rate, chunks.length * (double) length / tookNs, dropped.get());
    assertTrue(dropped.get() > 0);
  }
}
