package io.kvasir.connectors.protocol;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;

/** The shared vectors, and the way from frames to bytes and back that the tests use. */
final class Vectors {
  private static final int PENDING_BYTES_MAX = 64 * 1024 * 1024;

  private Vectors() {}

  /** Name to frame, in the order of the file. */
  static Map<String, byte[]> load() {
    final Map<String, byte[]> vectors = new LinkedHashMap<>();
    try (BufferedReader in =
        new BufferedReader(
            new InputStreamReader(
                Objects.requireNonNull(
                    Vectors.class.getResourceAsStream("/engine-protocol-vectors.txt")),
                UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        if (line.isEmpty() || line.startsWith("#")) {
          continue;
        }
        final int space = line.indexOf(' ');
        final byte[] frame = HexFormat.of().parseHex(line.substring(space + 1));
        if (vectors.put(line.substring(0, space), frame) != null) {
          throw new IllegalStateException("two vectors of one name: " + line);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return vectors;
  }

  /** The bytes that an encoder writes. */
  static byte[] encoded(Consumer<FrameWriter> encoder) {
    final FrameWriter writer = new FrameWriter(PENDING_BYTES_MAX);
    encoder.accept(writer);
    final ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      if (!writer.flushTo(Channels.newChannel(out))) {
        throw new IllegalStateException("a stream takes all");
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /** The only frame of these bytes. */
  static Frame frame(byte[] bytes) {
    final Frame frame = reader(bytes, sender(bytes)).next();
    if (frame == null) {
      throw new IllegalStateException("no whole frame");
    }
    return frame;
  }

  /** A reader that holds these bytes, as far as it takes them before frames are taken out. */
  static FrameReader reader(byte[] bytes, Side sender) {
    final FrameReader reader = new FrameReader(sender);
    final var channel = Channels.newChannel(new ByteArrayInputStream(bytes));
    try {
      while (reader.readFrom(channel) > 0) {
        if (reader.bufferedBytes() == bytes.length) {
          break;
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return reader;
  }

  static Side sender(byte[] bytes) {
    final MessageType type = MessageType.of(bytes[Frame.TYPE_OFFSET] & 0xFF);
    return type != null && type.isSentBy(Side.ENGINE) ? Side.ENGINE : Side.NODE;
  }

  /** 32 bytes n, n + 1, …: H(n) of the vectors file. */
  static byte[] hash(int n) {
    final byte[] hash = new byte[Protocol.HASH_BYTES];
    for (int i = 0; i < hash.length; i++) {
      hash[i] = (byte) (n + i);
    }
    return hash;
  }

  static byte[] hashes(int... ns) {
    final ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (final int n : ns) {
      out.writeBytes(hash(n));
    }
    return out.toByteArray();
  }
}
