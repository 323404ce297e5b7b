package io.kvasir.node.peer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.kvasir.node.peer.NeighbourMessage.Done;
import io.kvasir.node.peer.NeighbourMessage.Place;
import io.kvasir.node.peer.NeighbourMessage.Refusal;
import io.kvasir.node.peer.NeighbourMessage.Wanted;
import io.kvasir.node.store.SlabShare;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.PullFailure;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class NeighbourMessageTest {
  private static final SlabShare SHARE =
      new SlabShare(1000, new UUID(1, -2), -3, 64 << 20, 4 << 20, 5, Path.of("/dev/shm/käse"));

  private static final List<NeighbourMessage> ALL =
      List.of(
          new NeighbourMessage.Ask(-1, 1000, new UUID(3, 4)),
          new NeighbourMessage.Offer(7, 247, SHARE),
          new NeighbourMessage.Proof(8, -9),
          new NeighbourMessage.Proven(10),
          new NeighbourMessage.Borrow(
              11,
              -12,
              13,
              List.of(
                  new Wanted(new ChunkKey(1, 2, 3, -4), 5, 0, 6),
                  new Wanted(new ChunkKey(-1, 2, 3, 4), -5, 7, 1 << 30))),
          new NeighbourMessage.Lent(
              14, List.of(new Place(65_535, 1L << 40, 15, -16), new Place(0, 0, 1, 2))),
          new NeighbourMessage.Refused(17, List.of(new Refusal(18, PullFailure.MISSING, 19))),
          new NeighbourMessage.Returned(List.of(new Done(20, 21), new Done(-22, 23))));

  @Test
  void shouldReadWhatWasWritten() {
    for (final NeighbourMessage message : ALL) {
      final byte[] body = message.encode();
      assertEquals(message, NeighbourMessage.decode(body));
      assertArrayEquals(body, NeighbourMessage.decode(body).encode());
    }
  }

  @Test
  void shouldBeAsLongAsTheFrameIsReckonedWith() {
    assertEquals(
        NeighbourMessage.BORROW_BYTES + 2 * NeighbourMessage.WANTED_BYTES,
        ALL.get(4).encode().length);
    assertEquals(1 + 2 * NeighbourMessage.DONE_BYTES, ALL.get(7).encode().length);
  }

  @Test
  void shouldRefuseWhatIsNoMessage() {
    final long seed = System.nanoTime();
    final Random random = new Random(seed);
    assertThrows(IllegalArgumentException.class, () -> NeighbourMessage.decode(new byte[0]));
    for (final NeighbourMessage message : ALL) {
      final byte[] body = message.encode();
      final byte[] cut = Arrays.copyOf(body, body.length - 1);
      if (!(message instanceof NeighbourMessage.Offer)) { // its path may be any text
        assertThrows(IllegalArgumentException.class, () -> NeighbourMessage.decode(cut));
        assertThrows(
            IllegalArgumentException.class,
            () -> NeighbourMessage.decode(Arrays.copyOf(body, body.length + 1)));
      }
    }
    for (int i = 0; i < 100_000; i++) {
      final byte[] noise = new byte[random.nextInt(2_000)];
      random.nextBytes(noise);
      if (noise.length > 0) {
        noise[0] = (byte) random.nextInt(10);
      }
      try {
        NeighbourMessage.decode(noise);
      } catch (final IllegalArgumentException e) {
        // The only way to say no.
      } catch (final RuntimeException e) {
        throw new AssertionError("seed " + seed, e);
      }
    }
  }
}
