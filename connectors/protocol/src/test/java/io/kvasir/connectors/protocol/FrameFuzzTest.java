package io.kvasir.connectors.protocol;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * Random and mutated frames end in a {@link MalformedFrameException} or in a body whose every
 * accessor works. {@code -Dkvasir.full=true} runs a million frames, {@code -Dkvasir.seed=N} repeats
 * a run.
 */
final class FrameFuzzTest {
  private static final int FRAMES = Boolean.getBoolean("kvasir.full") ? 1_000_000 : 50_000;
  private static final int STREAM_BYTES = 200_000;

  private final List<byte[]> vectors = new ArrayList<>(Vectors.load().values());
  private long accepted;
  private long refused;
  private long sink;

  @Test
  void shouldRefuseOrReadEveryFrameWhenFuzzed() throws IOException {
    final long seed = Long.getLong("kvasir.seed", System.nanoTime());
    System.out.println("FrameFuzzTest frames=" + FRAMES + " kvasir.seed=" + seed);
    final SplittableRandom random = new SplittableRandom(seed);
    while (accepted + refused < FRAMES) {
      final ByteArrayOutputStream stream = new ByteArrayOutputStream();
      final int inStream = 1 + random.nextInt(8);
      for (int i = 0; i < inStream; i++) {
        stream.writeBytes(anyFrame(random));
      }
      final Side sender = random.nextBoolean() ? Side.ENGINE : Side.NODE;
      drain(stream.toByteArray(), sender, 1 + random.nextInt(300));
    }
    System.out.println("accepted=" + accepted + " refused=" + refused + " sink=" + sink);
    assertTrue(accepted > FRAMES / 100, "accepted=" + accepted);
    assertTrue(refused > FRAMES / 100, "refused=" + refused);
  }

  private byte[] anyFrame(SplittableRandom random) {
    return switch (random.nextInt(4)) {
      case 0 -> garbage(random);
      case 1 -> framedGarbage(random);
      default -> mutated(random);
    };
  }

  private static byte[] garbage(SplittableRandom random) {
    final byte[] bytes = new byte[random.nextInt(200)];
    random.nextBytes(bytes);
    return bytes;
  }

  /** A header that holds, and a body of noise. */
  private static byte[] framedGarbage(SplittableRandom random) {
    final MessageType[] types = MessageType.values();
    final MessageType type = types[random.nextInt(types.length)];
    final int spread = Math.min(200, type.bodyBytesMax() - type.bodyBytesMin());
    final byte[] body = new byte[type.bodyBytesMin() + random.nextInt(spread + 1)];
    random.nextBytes(body);
    return ByteBuffer.allocate(Protocol.HEADER_BYTES + body.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(Protocol.LENGTH_MIN + body.length)
        .put((byte) Protocol.VERSION)
        .put((byte) type.code())
        .putShort((short) (random.nextInt(256) & type.flagsKnown()))
        .putInt(type.isPush() ? 0 : 1 + random.nextInt(1000))
        .put(body)
        .array();
  }

  private byte[] mutated(SplittableRandom random) {
    byte[] bytes = vectors.get(random.nextInt(vectors.size())).clone();
    if (random.nextInt(8) == 0) {
      bytes = Arrays.copyOf(bytes, random.nextInt(2 * bytes.length));
    }
    final int mutations = random.nextInt(4);
    for (int i = 0; i < mutations && bytes.length > 0; i++) {
      final int at = random.nextInt(bytes.length);
      bytes[at] =
          switch (random.nextInt(4)) {
            case 0 -> (byte) (bytes[at] ^ 1 << random.nextInt(8));
            case 1 -> (byte) 0xFF;
            case 2 -> 0;
            default -> (byte) random.nextInt();
          };
    }
    return bytes;
  }

  /** Reads as a node or client does; each step consumes bytes or ends the stream. */
  private void drain(byte[] stream, Side sender, int readBytes) throws IOException {
    assertTrue(stream.length < STREAM_BYTES);
    final FrameReader reader = new FrameReader(sender);
    final ReadableByteChannel channel =
        Channels.newChannel(
            new ByteArrayInputStream(stream) {
              @Override
              public synchronized int read(byte[] b, int off, int len) {
                return super.read(b, off, Math.min(len, readBytes));
              }
            });
    int steps = 0;
    try {
      while (reader.readFrom(channel) >= 0) {
        for (Frame f = reader.next(); f != null; f = reader.next()) {
          readBody(f);
          assertTrue(++steps <= stream.length, "the reader loops");
        }
        assertTrue(++steps <= 2 * stream.length + 2, "the reader loops");
      }
    } catch (MalformedFrameException e) {
      refused++;
      sink += e.errorCode().code() + e.correlationId();
    }
  }

  private void readBody(Frame f) {
    try {
      sink +=
          switch (f.type()) {
            case HELLO, HELLO_OK, REGISTER, REGISTERED, STATS_OK, NODE_STATE ->
                JsonBody.text(f).length();
            case STATS, PING, PONG, GOODBYE, GOODBYE_OK -> f.bodyLength();
            case LOOKUP -> {
              final LookupBody b = new LookupBody().wrap(f);
              yield b.prefillTokensPerSecond() + read(b.prefix());
            }
            case RESERVE -> read(new PrefixBody().wrap(f));
            case ACQUIRE -> {
              final AcquireBody b = new AcquireBody().wrap(f);
              yield b.deadlineMs() + read(b.prefix());
            }
            case FOUND -> {
              final FoundBody b = new FoundBody().wrap(f);
              yield b.found()
                  + b.local()
                  + b.foundBytes()
                  + b.peerBytes()
                  + b.estimateUs()
                  + b.worth()
                  + b.advice().code();
            }
            case ACQUIRED, AWAITED -> {
              final AcquiredBody b = new AcquiredBody().wrap(f);
              yield b.acquireId() + b.chunks();
            }
            case RELEASE -> new ReleaseBody().wrap(f).acquireId();
            case RELEASED -> {
              final ReleasedBody b = new ReleasedBody().wrap(f);
              yield b.acquireId() + b.status().code();
            }
            case RESERVED -> read(new ReservedBody().wrap(f));
            case COMMIT, ABORT -> read(new SlotsBody().wrap(f));
            case COMMITTED -> read(new CommittedBody().wrap(f));
            case ABORTED -> read(new AbortedBody().wrap(f));
            case READY -> read(new ReadyBody().wrap(f));
            case ACQUIRE_END -> {
              final AcquireEndBody b = new AcquireEndBody().wrap(f);
              yield b.acquireId() + b.readyChunks() + b.reason().code();
            }
            case AWAIT -> {
              final AwaitBody b = new AwaitBody().wrap(f);
              yield b.handoffId() + b.deadlineMs() + read(b.prefix());
            }
            case CREATE_HANDOFF -> {
              final CreateHandoffBody b = new CreateHandoffBody().wrap(f);
              yield b.handoffId()
                  + b.deadlineMs()
                  + b.sliceBytes()
                  + b.receiver(b.receivers() - 1)
                  + read(b.prefix());
            }
            case HANDOFF_CREATED -> {
              final HandoffCreatedBody b = new HandoffCreatedBody().wrap(f);
              yield b.handoffId() + b.receivers();
            }
            case COMMIT_SLICE -> {
              final CommitSliceBody b = new CommitSliceBody().wrap(f);
              yield b.handoffId() + b.slot(b.count() - 1) + b.slice(b.count() - 1);
            }
            case SLICE_COMMITTED -> {
              final SliceCommittedBody b = new SliceCommittedBody().wrap(f);
              yield b.receivers() + b.status(b.count() - 1).code() + b.version(b.count() - 1);
            }
            case END_HANDOFF -> new EndHandoffBody().wrap(f).handoffId();
            case HANDOFF_ENDED -> {
              final HandoffEndedBody b = new HandoffEndedBody().wrap(f);
              yield b.handoffId() + (b.isKnown() ? 1 : 0);
            }
            case ERROR -> {
              final ErrorBody b = new ErrorBody().wrap(f);
              yield b.code() + b.detail().length() + (b.definite() == b.retry() ? 1 : 0);
            }
          };
      accepted++;
    } catch (MalformedFrameException e) {
      refused++;
      if (e.errorCode().closesConnection()) {
        throw e;
      }
    }
  }

  private static long read(PrefixBody b) {
    long sum = (long) b.space() + b.epoch() + b.firstPosition() + b.array()[b.anchorOffset()];
    for (int i = 0; i < b.count(); i++) {
      sum += b.array()[b.hashOffset(i) + Protocol.HASH_BYTES - 1];
    }
    return sum;
  }

  private static long read(ReservedBody b) {
    long sum = 0;
    for (int i = 0; i < b.count(); i++) {
      sum += b.status(i).code() + b.slot(i) + b.segment(i) + b.segmentOffset(i);
    }
    return sum;
  }

  private static long read(SlotsBody b) {
    long sum = (long) b.space() + b.epoch();
    for (int i = 0; i < b.count(); i++) {
      sum += b.slot(i);
    }
    return sum;
  }

  private static long read(CommittedBody b) {
    long sum = 0;
    for (int i = 0; i < b.count(); i++) {
      sum += b.slot(i) + b.status(i).code() + b.version(i);
    }
    return sum;
  }

  private static long read(AbortedBody b) {
    long sum = 0;
    for (int i = 0; i < b.count(); i++) {
      sum += b.slot(i) + b.status(i).code();
    }
    return sum;
  }

  private static long read(ReadyBody b) {
    long sum = b.acquireId() + b.firstIndex();
    for (int i = 0; i < b.count(); i++) {
      sum += b.slot(i) + b.segment(i) + b.segmentOffset(i) + b.lengthBytes(i);
      sum += b.source(i).code() + b.version(i);
    }
    return sum;
  }
}
