package io.kvasir.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.kvasir.placement.ChunkKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
final class PullTest {
  private final Peers peers = new Peers();

  @AfterEach
  void closePeers() throws Exception {
    peers.close();
  }

  @Test
  void shouldDeliverEveryByteWhenChunksHaveRandomSizes() throws Exception {
    long seed = System.nanoTime();
    System.out.println("seed=" + seed);
    Random random = new Random(seed);
    Peers.Peer reader = peers.start(1);
    Peers.Peer holder = peers.start(2);
    for (int round = 0; round < 4; round++) {
      List<PullChunk> chunks = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        int bits = random.nextInt(24);
        int length = 1 + random.nextInt(1 << bits);
        ChunkKey key = Payload.key(random.nextLong());
        holder.source.add(key, 1 + random.nextInt(1000), length);
        chunks.add(new PullChunk(key, 1, reader.memory(length), length, 0, 0));
      }
      TestPull pull = TestPull.of(chunks.toArray(PullChunk[]::new));
      pull.start(reader.transport, 2, holder.endpoint()).await();
      for (int i = 0; i < chunks.size(); i++) {
        pull.assertReceived(i);
      }
    }
    holder.awaitNoPins();
    assertEquals(32, reader.transport.stats().chunksReceived());
    assertEquals(0, reader.transport.stats().protocolErrors());
  }
}
