package io.kvasir.node;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;

/**
 * Conversations for Ignite's ports: noise; the right first bytes and then noise; every type of
 * message with a garbage body; what a joining member said, changed a little.
 */
final class IgniteNoise {
  /** First bytes of every connection. */
  private static final byte[] HEADER = {0x00, 0x49, 0x47, 0x4E};

  private static final short HANDSHAKE = -3;
  private static final int FRAMES_MAX = 12;
  private static final int CLOSE_MILLIS_MAX = 5_000;
  private static final long REFUSED_PAUSE_NS = 50_000_000;

  private final SplittableRandom random;
  private final List<byte[]> recorded;

  IgniteNoise(final SplittableRandom random, final List<byte[]> recorded) {
    this.random = random;
    this.recorded = recorded;
  }

  static byte[] header() {
    return HEADER.clone();
  }

  /**
   * Holds one conversation until the node hangs up.
   *
   * @return frames sent
   */
  int converse(final InetAddress address, final int port, final boolean discovery)
      throws IOException {
    int frames = 0;
    try (Socket socket = new Socket()) {
      // Many addresses, since the ports of one are soon used up; no lingering, for the same reason.
      socket.bind(new InetSocketAddress(InetAddress.getByAddress(loopback()), 0));
      socket.setSoLinger(true, 0);
      socket.setSoTimeout(CLOSE_MILLIS_MAX);
      try {
        socket.connect(new InetSocketAddress(address, port), CLOSE_MILLIS_MAX);
      } catch (final ConnectException | SocketTimeoutException _) {
        // Ignite starts anew, or is slow; the test asks afterwards whether the node serves.
        LockSupport.parkNanos(REFUSED_PAUSE_NS);
        return 0;
      }
      final int count = 1 + random.nextInt(FRAMES_MAX);
      try {
        final OutputStream out = socket.getOutputStream();
        if (random.nextInt(16) > 0) {
          out.write(HEADER);
        }
        while (frames < count) {
          out.write(discovery ? discoveryFrame() : communicationFrame(frames == 0));
          frames++;
        }
        socket.shutdownOutput();
        awaitEnd(socket.getInputStream());
      } catch (final IOException _) {
        // Hung up on: what was to be sent counts as sent.
        return count;
      }
    }
    return frames;
  }

  private byte[] loopback() {
    return new byte[] {
      127, (byte) (1 + random.nextInt(250)), (byte) random.nextInt(250), (byte) random.nextInt(250)
    };
  }

  private static void awaitEnd(final InputStream in) throws IOException {
    final byte[] ignored = new byte[4096];
    while (in.read(ignored) >= 0) {
      // Answers are nothing to us.
    }
  }

  private byte[] discoveryFrame() {
    return switch (random.nextInt(6)) {
      case 0 -> noise(400);
      case 1 -> typed(1, random.nextInt(-128, 128));
      case 2 -> typed(1, random.nextInt(-4, 40));
      default -> mutated(recorded.get(random.nextInt(recorded.size())));
    };
  }

  private byte[] communicationFrame(final boolean first) {
    if (first && random.nextBoolean()) {
      return handshake();
    }
    return switch (random.nextInt(4)) {
      case 0 -> noise(400);
      case 1 -> typed(0, random.nextInt(Short.MIN_VALUE, Short.MAX_VALUE));
      default -> typed(0, random.nextInt(-60, 320));
    };
  }

  /** A message type, little-endian after some leading bytes of value 2, with a garbage body. */
  private byte[] typed(final int leading, final int type) {
    final byte[] bytes = noise(300 + leading + 2);
    if (bytes.length < leading + 2) {
      return bytes;
    }
    for (int i = 0; i < leading; i++) {
      bytes[i] = 2;
    }
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putShort(leading, (short) type);
    wildNumber(bytes, leading + 2);
    return bytes;
  }

  /** Of nobody who is a member. */
  private byte[] handshake() {
    return ByteBuffer.allocate(22)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putShort(HANDSHAKE)
        .put((byte) random.nextInt(2))
        .putLong(random.nextLong())
        .putLong(random.nextLong())
        .put((byte) random.nextInt(128))
        .put((byte) random.nextInt(128))
        .put((byte) random.nextInt(128))
        .array();
  }

  private byte[] mutated(final byte[] original) {
    byte[] bytes = original.clone();
    for (int i = random.nextInt(4); i >= 0; i--) {
      final int at = random.nextInt(bytes.length);
      switch (random.nextInt(4)) {
        case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> bytes[at] = (byte) random.nextInt();
        case 2 -> wildNumber(bytes, at);
        default -> bytes = Arrays.copyOf(bytes, 1 + at);
      }
    }
    return bytes;
  }

  /** A number that may be a length: small, huge, negative, in either order of bytes. */
  private void wildNumber(final byte[] bytes, final int from) {
    if (bytes.length - from < 4 || random.nextBoolean()) {
      return;
    }
    final int at = from + random.nextInt(bytes.length - from - 3);
    final int number =
        switch (random.nextInt(4)) {
          case 0 -> random.nextInt(1 << 28);
          case 1 -> Integer.MAX_VALUE - random.nextInt(16);
          case 2 -> random.nextInt();
          default -> random.nextInt(300);
        };
    ByteBuffer.wrap(bytes)
        .order(random.nextBoolean() ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN)
        .putInt(at, number);
  }

  private byte[] noise(final int bytesMax) {
    final byte[] bytes = new byte[1 + random.nextInt(bytesMax)];
    random.nextBytes(bytes);
    return bytes;
  }
}
