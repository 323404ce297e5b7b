package io.kvasir.node;

import io.aeron.protocol.DataHeaderFlyweight;
import io.aeron.protocol.HeaderFlyweight;
import io.aeron.protocol.SetupFlyweight;
import io.kvasir.transport.codec.HelloEncoder;
import io.kvasir.transport.codec.MessageHeaderEncoder;
import io.kvasir.transport.codec.PullRequestEncoder;
import io.kvasir.transport.codec.SegmentEncoder;
import java.net.DatagramPacket;
import java.net.InetAddress;
import java.nio.ByteOrder;
import java.util.SplittableRandom;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Datagrams for an Aeron port: noise; publications made by hand, whose set-up and data frames are
 * right and whose messages are garbage; and such frames cut, stretched or with some bits flipped.
 */
final class AeronNoise {
  private static final int STREAMS = 2;
  private static final int TERM_BYTES = 1 << 16;
  private static final int MTU_BYTES = 1_408;
  private static final int FRAMES_PER_PUBLICATION = 40;
  private static final int BYTES_MAX = 2_048;
  private static final int[] TEMPLATES = {1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21, 22, 99};
  private static final int[] BLOCKS = {
    HelloEncoder.BLOCK_LENGTH, PullRequestEncoder.BLOCK_LENGTH, SegmentEncoder.BLOCK_LENGTH, 0
  };

  private final SplittableRandom random;
  private final InetAddress address;
  private final int port;
  private final byte[] bytes = new byte[BYTES_MAX];
  private final UnsafeBuffer frame = new UnsafeBuffer(bytes);
  private int session;
  private int stream = 1;
  private int offset;
  private int framesLeft;

  AeronNoise(final SplittableRandom random, final InetAddress address, final int port) {
    this.random = random;
    this.address = address;
    this.port = port;
  }

  /** The next datagram; its bytes are overwritten by the one after it. */
  DatagramPacket next() {
    final int kind = random.nextInt(8);
    int length;
    if (kind == 0) {
      random.nextBytes(bytes);
      length = random.nextInt(200);
    } else {
      length = framesLeft == 0 ? setup() : data();
      framesLeft--;
      if (kind <= 3) {
        length = mutated(length);
      }
    }
    return new DatagramPacket(bytes, length, address, port);
  }

  private int setup() {
    session = random.nextInt();
    stream = 1 + random.nextInt(STREAMS);
    offset = 0;
    framesLeft = FRAMES_PER_PUBLICATION;
    final SetupFlyweight setup = new SetupFlyweight(frame);
    setup
        .sessionId(session)
        .streamId(stream)
        .initialTermId(1)
        .activeTermId(1)
        .termOffset(0)
        .termLength(TERM_BYTES)
        .mtuLength(MTU_BYTES)
        .ttl(0);
    setup
        .version(HeaderFlyweight.CURRENT_VERSION)
        .headerType(HeaderFlyweight.HDR_TYPE_SETUP)
        .frameLength(SetupFlyweight.HEADER_LENGTH);
    return SetupFlyweight.HEADER_LENGTH;
  }

  /** In sequence, so that the subscriber gets it. */
  private int data() {
    final int length = DataHeaderFlyweight.HEADER_LENGTH + 8 + random.nextInt(300);
    random.nextBytes(bytes);
    final DataHeaderFlyweight data = new DataHeaderFlyweight(frame);
    data.sessionId(session).streamId(stream).termId(1).termOffset(offset).reservedValue(0);
    data.version(HeaderFlyweight.CURRENT_VERSION)
        .flags(DataHeaderFlyweight.BEGIN_AND_END_FLAGS)
        .headerType(HeaderFlyweight.HDR_TYPE_DATA)
        .frameLength(length);
    if (random.nextInt(8) > 0) {
      new MessageHeaderEncoder()
          .wrap(frame, DataHeaderFlyweight.HEADER_LENGTH)
          .blockLength(BLOCKS[random.nextInt(BLOCKS.length)])
          .templateId(TEMPLATES[random.nextInt(TEMPLATES.length)])
          .schemaId(1)
          .version(1);
    }
    offset += (length + 31) & ~31;
    return length;
  }

  private int mutated(final int length) {
    switch (random.nextInt(4)) {
      case 0 -> frame.putInt(0, random.nextInt(), ByteOrder.LITTLE_ENDIAN);
      case 1 -> {
        return random.nextInt(length);
      }
      case 2 ->
          frame.putShort(
              HeaderFlyweight.TYPE_FIELD_OFFSET,
              (short) random.nextInt(16),
              ByteOrder.LITTLE_ENDIAN);
      default -> {
        for (int i = random.nextInt(8); i >= 0; i--) {
          bytes[random.nextInt(length)] ^= (byte) (1 << random.nextInt(8));
        }
      }
    }
    return length;
  }
}
