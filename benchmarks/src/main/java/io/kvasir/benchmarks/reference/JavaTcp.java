package io.kvasir.benchmarks.reference;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;

/**
 * Plain Java TCP over loopback: blocking channels, the slab mapped on both sides, no user-space
 * copy but the kernel's own. A chunk is {@code u32 crc32c | u32 chunkBytes | bytes}, little-endian.
 */
public final class JavaTcp implements Reference {
  static final int HEADER_BYTES = 8;

  private final String name;
  private final boolean verify;
  private final ReferenceProcess sender;
  private final SocketChannel channel;
  private final PrefaultedFile slots;
  private final ByteBuffer slotBuffer;
  private final ByteBuffer header =
      ByteBuffer.allocateDirect(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private final ChunkVerifier verifier = new ChunkVerifier();

  public JavaTcp(Path directory, long slabBytes, boolean verify) throws IOException {
    this.name = verify ? "java-tcp" : "java-tcp-nocrc";
    this.verify = verify;
    slots = new PrefaultedFile(directory.resolve(name + "-slots"), slabBytes, 1);
    slotBuffer = slots.memory().asByteBuffer();
    try (ServerSocketChannel server = ServerSocketChannel.open()) {
      server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      int port = server.socket().getLocalPort();
      sender =
          new ReferenceProcess(
              SenderMain.class,
              List.of(
                  "tcp",
                  Integer.toString(port),
                  directory.resolve(name + "-source").toString(),
                  Long.toString(slabBytes)));
      channel = server.accept();
    }
    sender.answer();
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public long deliver(int chunkBytes, int chunks) throws IOException {
    sender.ask("prepare " + chunkBytes + " " + chunks);
    verifier.reset();
    long startNs = System.nanoTime();
    sender.send("send " + chunkBytes + " " + chunks);
    for (int chunk = 0; chunk < chunks; chunk++) {
      readFully(header.clear());
      int crc32c = header.getInt(0);
      int at = chunk * chunkBytes;
      readFully(slotBuffer.duplicate().position(at).limit(at + header.getInt(4)));
      if (verify) {
        MemorySegment slot = slots.memory().asSlice(at, chunkBytes);
        verifier.submit(slot, crc32c);
      }
    }
    long deadlineNs = ChunkVerifier.deadlineNs();
    while (verify && verifier.verified() < chunks) {
      Thread.onSpinWait();
      ChunkVerifier.checkDeadline(deadlineNs, "checksums");
    }
    long durationNs = System.nanoTime() - startNs;
    verifier.requireAllRight();
    return durationNs;
  }

  private void readFully(ByteBuffer target) throws IOException {
    while (target.hasRemaining()) {
      if (channel.read(target) < 0) {
        throw new EOFException(
            "KVA-0656 the sending process closed the connection - missingBytes="
                + target.remaining());
      }
    }
  }

  @Override
  public void close() throws IOException {
    sender.close();
    channel.close();
    verifier.close();
    slots.close();
  }
}
