package io.kvasir.benchmarks.reference;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;

/**
 * Entry point of the sending process of {@link RawAeron} and {@link JavaTcp}.
 *
 * <p>Arguments: {@code aeron SETTINGS ENDPOINT FILE BYTES} or {@code tcp PORT FILE BYTES}. Commands
 * on standard input: {@code prepare CHUNK_BYTES CHUNKS} computes the checksums (a node has them
 * from the commit) and is answered; {@code send CHUNK_BYTES CHUNKS} sends, with no answer but the
 * bytes.
 */
final class SenderMain {
  private SenderMain() {}

  /** Sends {@code chunks} chunks of {@code chunkBytes}, cut from the source one after another. */
  interface Sender extends AutoCloseable {
    void send(ByteBuffer source, int chunkBytes, int[] crc32c) throws IOException;

    /**
     * Keeps the connection alive while there is nothing to send.
     *
     * @return nanoseconds until it wants to be called again
     */
    long idle();

    @Override
    void close() throws IOException;
  }

  public static void main(String[] args) throws IOException, InterruptedException {
    boolean aeron = args[0].equals("aeron");
    Path file = Path.of(args[args.length - 2]);
    long bytes = Long.parseLong(args[args.length - 1]);
    try (PrefaultedFile slab = new PrefaultedFile(file, bytes, 42);
        Sender sender =
            aeron
                ? new AeronSender(
                    AeronSettings.fromArgument(args[1]),
                    args[2],
                    file.resolveSibling(file.getFileName() + ".aeron"))
                : new TcpSender(Integer.parseInt(args[1]))) {
      System.out.println("ready");
      serve(slab.memory(), sender);
    }
  }

  private static void serve(MemorySegment slab, Sender sender)
      throws IOException, InterruptedException {
    ByteBuffer source = slab.asByteBuffer();
    BlockingQueue<String> commands = readCommands();
    int[] crc32c = new int[0];
    while (true) {
      String command = commands.poll(sender.idle(), TimeUnit.NANOSECONDS);
      if (command == null) {
        continue;
      }
      if (command.isEmpty()) {
        return;
      }
      String[] words = command.split(" ", -1);
      int chunkBytes = Integer.parseInt(words[1]);
      if (words[0].equals("prepare")) {
        crc32c = checksums(source, chunkBytes, Integer.parseInt(words[2]));
        System.out.println("prepared");
      } else {
        sender.send(source, chunkBytes, crc32c);
      }
    }
  }

  /** Lines of standard input; an empty one marks its end. */
  private static BlockingQueue<String> readCommands() {
    BlockingQueue<String> commands = new LinkedBlockingQueue<>();
    Thread.ofPlatform()
        .daemon()
        .name("bench-commands")
        .start(
            () -> {
              try (BufferedReader in =
                  new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
                for (String line = in.readLine(); line != null; line = in.readLine()) {
                  commands.add(line);
                }
              } catch (IOException e) {
                System.err.println("KVA-0654 command pipe broke - " + e.getMessage());
              } finally {
                commands.add("");
              }
            });
    return commands;
  }

  private static int[] checksums(ByteBuffer source, int chunkBytes, int chunks) {
    int[] result = new int[chunks];
    CRC32C crc = new CRC32C();
    for (int chunk = 0; chunk < chunks; chunk++) {
      crc.reset();
      crc.update(source.duplicate().position(chunk * chunkBytes).limit((chunk + 1) * chunkBytes));
      result[chunk] = (int) crc.getValue();
    }
    return result;
  }
}
