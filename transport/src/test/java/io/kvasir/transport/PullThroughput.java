package io.kvasir.transport;

import io.aeron.Aeron;
import io.aeron.ExclusivePublication;
import io.aeron.Image;
import io.aeron.Subscription;
import io.aeron.driver.MediaDriver;
import io.aeron.driver.ThreadingMode;
import io.aeron.logbuffer.BufferClaim;
import io.aeron.logbuffer.FragmentHandler;
import io.kvasir.placement.ChunkKey;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.agrona.concurrent.AgentInvoker;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Pull of 32 MiB chunks between two processes beside a bare Aeron publication that does the same
 * work: from a slab into the term buffer, from the term buffer into a slot. The sides alternate.
 *
 * <p>Run {@code PullThroughput [rounds] [mtu] [term] [window]}.
 */
final class PullThroughput {
  private static final int CHUNK_BYTES = 32 << 20;
  private static final int CHUNKS = 4;
  private static final int STREAM = 9;

  private PullThroughput() {}

  public static void main(String[] args) throws Exception {
    if (args.length > 0 && args[0].equals("holder")) {
      hold(args);
    } else if (args.length > 0 && args[0].equals("raw")) {
      sendRaw(args);
    } else {
      measure(args);
    }
  }

  private static int number(String[] args, int index, int otherwise) {
    return args.length > index ? Integer.parseInt(args[index]) : otherwise;
  }

  private static TransportConfig config(long node, Path dir, String[] args) {
    return TransportConfig.builder(node, "bench", dir)
        .mtuBytes(number(args, 1, 65_504))
        .termBytes(number(args, 2, 2 << 20))
        .windowBytes(number(args, 3, 1 << 20))
        .build();
  }

  private static ChunkKey key(int i) {
    return Payload.key(1000 + i);
  }

  private static void hold(String[] args) throws IOException {
    String[] settings = Arrays.copyOfRange(args, 1, args.length);
    Path dir = Path.of(args[1]);
    try (TestSource source = new TestSource()) {
      for (int i = 0; i < CHUNKS; i++) {
        source.add(key(i), 77, CHUNK_BYTES);
      }
      try (Transport transport =
          Transport.start(config(2, dir, settings), source, new TestQuestions())) {
        System.out.println(transport.endpoint());
        while (System.in.read() >= 0) {}
      }
    }
  }

  private static MediaDriver.Context driver(Path dir, int mtu, int window) {
    return new MediaDriver.Context()
        .aeronDirectoryName(dir.toString())
        .dirDeleteOnStart(true)
        .dirDeleteOnShutdown(true)
        .threadingMode(ThreadingMode.INVOKER)
        .asyncExecutorEnabled(false)
        .termBufferSparseFile(true)
        .mtuLength(mtu)
        .socketRcvbufLength(4 << 20)
        .socketSndbufLength(4 << 20)
        .initialWindowLength(window);
  }

  private static void sendRaw(String[] args) throws IOException {
    Path dir = Path.of(args[1]);
    int mtu = number(args, 2, 65_504);
    int term = number(args, 3, 2 << 20);
    int window = number(args, 4, 1 << 20);
    try (Arena arena = Arena.ofShared();
        MediaDriver driver = MediaDriver.launch(driver(dir, mtu, window));
        Aeron aeron =
            Aeron.connect(
                new Aeron.Context()
                    .aeronDirectoryName(dir.toString())
                    .useConductorAgentInvoker(true)
                    .driverAgentInvoker(driver.sharedAgentInvoker()))) {
      MemorySegment slab = arena.allocate((long) CHUNKS * CHUNK_BYTES, 4096);
      slab.fill((byte) 3);
      System.out.println("ready");
      ExclusivePublication publication = null;
      BufferClaim claim = new BufferClaim();
      while (true) {
        driver.sharedAgentInvoker().invoke();
        aeron.conductorAgentInvoker().invoke();
        if (System.in.available() == 0) {
          LockSupport.parkNanos(200_000);
          continue;
        }
        String line = readLine();
        if (line.isEmpty()) {
          return;
        }
        if (publication == null) {
          publication =
              aeron.addExclusivePublication(
                  "aeron:udp?endpoint=" + line + "|term-length=" + term + "|mtu=" + mtu, STREAM);
        } else {
          send(driver.sharedAgentInvoker(), aeron, publication, slab, claim);
        }
      }
    }
  }

  private static String readLine() throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = System.in.read(); c >= 0 && c != '\n'; c = System.in.read()) {
      line.append((char) c);
    }
    return line.toString();
  }

  private static void send(
      AgentInvoker driver,
      Aeron aeron,
      ExclusivePublication to,
      MemorySegment slab,
      BufferClaim claim) {
    int payload = to.maxPayloadLength() & -64;
    LaneIdle idle = new LaneIdle();
    long sent = 0;
    while (sent < slab.byteSize()) {
      for (int i = 0; i < 2 && sent < slab.byteSize(); i++) {
        int length = (int) Math.min(payload, slab.byteSize() - sent);
        if (to.tryClaim(length, claim) <= 0) {
          break;
        }
        TermMemory.fill(claim.buffer(), claim.offset(), slab, sent, length);
        claim.commit();
        sent += length;
      }
      int work = driver.invoke() + aeron.conductorAgentInvoker().invoke();
      idle.idle(work, true);
    }
  }

  private static Process child(Path log, List<String> arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(
        List.of("-cp", System.getProperty("java.class.path"), PullThroughput.class.getName()));
    command.addAll(arguments);
    return new ProcessBuilder(command).redirectError(log.toFile()).start();
  }

  private static void measure(String[] args) throws Exception {
    int rounds = number(args, 0, 9);
    Path dir = Files.createTempDirectory(Path.of("/dev/shm"), "kvasir-throughput-");
    List<String> settings =
        List.of(
            String.valueOf(number(args, 1, 65_504)),
            String.valueOf(number(args, 2, 2 << 20)),
            String.valueOf(number(args, 3, 1 << 20)));
    List<String> holderArgs = new ArrayList<>(List.of("holder", dir.resolve("h").toString()));
    holderArgs.addAll(settings);
    List<String> rawArgs = new ArrayList<>(List.of("raw", dir.resolve("r").toString()));
    rawArgs.addAll(settings);
    Process holder = child(dir.resolve("h.log"), holderArgs);
    Process raw = child(dir.resolve("r.log"), rawArgs);
    try (Arena arena = Arena.ofShared();
        TestSource none = new TestSource();
        Transport reader =
            Transport.start(config(1, dir.resolve("a"), args), none, new TestQuestions())) {
      MemorySegment slots = arena.allocate((long) CHUNKS * CHUNK_BYTES, 4096);
      slots.fill((byte) 1);
      String endpoint = firstLine(holder);
      firstLine(raw);
      RawReceiver receiver = new RawReceiver(dir.resolve("b"), args, slots);
      PrintStream toRaw = new PrintStream(raw.getOutputStream(), true, StandardCharsets.UTF_8);
      toRaw.print(receiver.endpoint() + "\n");
      toRaw.flush();
      List<Double> ratios = new ArrayList<>();
      List<Double> cpuPull = new ArrayList<>();
      List<Double> cpuRaw = new ArrayList<>();
      for (int round = -8; round < rounds; round++) {
        double cpu0 = cpuSeconds(holder, raw);
        double pulled = pull(reader, endpoint, slots);
        double cpu1 = cpuSeconds(holder, raw);
        toRaw.print("go\n");
        toRaw.flush();
        double bare = receiver.receive();
        double cpu2 = cpuSeconds(holder, raw);
        receiver.settle();
        double gigabytes = slots.byteSize() / 1e9;
        System.out.printf(
            "%s pull %.2f GB/s %.2f cpu-s/GB  raw %.2f GB/s %.2f cpu-s/GB  ratio %.2f%n",
            round < 0 ? "warm-up" : "round",
            pulled,
            (cpu1 - cpu0) / gigabytes,
            bare,
            (cpu2 - cpu1) / gigabytes,
            pulled / bare);
        if (round >= 0) {
          ratios.add(pulled / bare);
          cpuPull.add((cpu1 - cpu0) / gigabytes);
          cpuRaw.add((cpu2 - cpu1) / gigabytes);
        }
      }
      System.out.printf(
          "median ratio %.3f; cpu-s/GB of both sides: pull %.2f, raw %.2f%n",
          median(ratios), median(cpuPull), median(cpuRaw));
      System.out.println(reader.stats());
      receiver.close();
    } finally {
      holder.getOutputStream().close();
      raw.getOutputStream().close();
      holder.waitFor();
      raw.destroy();
      raw.waitFor();
      try (var files = Files.list(dir)) {
        for (Path file : files.toList()) {
          org.agrona.IoUtil.delete(file.toFile(), true);
        }
      }
      Files.delete(dir);
    }
  }

  private static double median(List<Double> values) {
    return values.stream().sorted().skip(values.size() / 2).findFirst().orElseThrow();
  }

  private static double cpuSeconds(Process... others) {
    double seconds = 0;
    for (Process other : others) {
      seconds += other.info().totalCpuDuration().orElseThrow().toNanos() / 1e9;
    }
    return seconds
        + ProcessHandle.current().info().totalCpuDuration().orElseThrow().toNanos() / 1e9;
  }

  private static String firstLine(Process process) throws IOException {
    String line =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))
            .readLine();
    return line == null ? "" : line;
  }

  private static double pull(Transport reader, String endpoint, MemorySegment slots)
      throws InterruptedException {
    PullChunk[] chunks = new PullChunk[CHUNKS];
    for (int i = 0; i < CHUNKS; i++) {
      MemorySegment slot = slots.asSlice((long) i * CHUNK_BYTES, CHUNK_BYTES);
      chunks[i] = new PullChunk(key(i), 1, slot, CHUNK_BYTES, 0, 0);
    }
    long startNs = System.nanoTime();
    TestPull pull = TestPull.of(chunks).start(reader, 2, endpoint).await();
    long endNs = System.nanoTime();
    for (int i = 0; i < CHUNKS; i++) {
      if (pull.outcome(i).failure() != null) {
        throw new IllegalStateException(pull.outcome(i).toString());
      }
    }
    return (double) slots.byteSize() / (endNs - startNs);
  }

  /** Receives a bare publication into the slots. */
  private static final class RawReceiver implements AutoCloseable {
    private final MediaDriver driver;
    private final Aeron aeron;
    private final Subscription subscription;
    private final MemorySegment slots;
    private final LaneIdle idle = new LaneIdle();
    private long received;
    private final FragmentHandler handler;

    RawReceiver(Path dir, String[] args, MemorySegment slots) {
      this.slots = slots;
      int window = number(args, 3, 1 << 20);
      driver = MediaDriver.launch(driver(dir, number(args, 1, 65_504), window));
      aeron =
          Aeron.connect(
              new Aeron.Context()
                  .aeronDirectoryName(dir.toString())
                  .useConductorAgentInvoker(true)
                  .driverAgentInvoker(driver.sharedAgentInvoker()));
      subscription = aeron.addSubscription("aeron:udp?endpoint=127.0.0.1:0", STREAM);
      handler =
          (buffer, offset, length, header) -> {
            TermMemory.drain(new UnsafeBuffer(buffer), offset, this.slots, received, length);
            received += length;
          };
    }

    String endpoint() {
      return java.util.Objects.requireNonNull(subscription.resolvedEndpoint());
    }

    double receive() {
      received = 0;
      long startNs = 0;
      while (received < slots.byteSize()) {
        turn();
        if (startNs == 0 && received > 0) {
          startNs = System.nanoTime();
        }
      }
      return (double) slots.byteSize() / (System.nanoTime() - startNs);
    }

    /** Lets the last acknowledgements go out, so that the sender is idle in the other's turn. */
    void settle() {
      long untilNs = System.nanoTime() + 20_000_000;
      while (System.nanoTime() - untilNs < 0) {
        turn();
      }
    }

    private void turn() {
      int work = driver.sharedAgentInvoker().invoke() + aeron.conductorAgentInvoker().invoke();
      for (Image image : subscription.images()) {
        work += image.poll(handler, 8);
      }
      idle.idle(work, true);
    }

    @Override
    public void close() {
      aeron.close();
      driver.close();
    }
  }
}
