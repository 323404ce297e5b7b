package io.kvasir.benchmarks;

import io.kvasir.benchmarks.reference.AeronSettings;
import io.kvasir.benchmarks.reference.JavaTcp;
import io.kvasir.benchmarks.reference.Memcpy;
import io.kvasir.benchmarks.reference.PrefaultedFile;
import io.kvasir.benchmarks.reference.RawAeron;
import io.kvasir.benchmarks.reference.RedisGet;
import io.kvasir.benchmarks.reference.Reference;
import io.kvasir.node.local.LocalCluster;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * {@code bench pull}: chunks of 1 to 64 MiB from the slab of one node process into that of another
 * over Aeron UDP loopback, beside the rivals.
 */
public final class PullBench {
  private static final int MIB = 1 << 20;
  private static final int[] CHUNK_BYTES = {MIB, 4 * MIB, 16 * MIB, 32 * MIB, 64 * MIB};

  /** Bytes per measurement: enough to leave the start behind, small enough for many rounds. */
  private static final int ROUND_BYTES = 128 * MIB;

  private static final long SLAB_BYTES = 4L * ROUND_BYTES;
  private static final int GRID_WARM_UP = 15;
  private static final int GRID_TRIES = 7;
  private static final String BEST_OF_GRID = "raw-aeron";

  /** Headers of IPv4 and UDP. */
  private static final int UDP_OVERHEAD_BYTES = 28;

  private PullBench() {}

  /**
   * Runs the benchmark; its files live under {@code directory}, which is in shared memory.
   *
   * @param mtuBytes largest datagram of the nodes and of raw Aeron, which the loopback device must
   *     then enforce on TCP too ({@link #requirePath}); 0 to let the nodes choose
   */
  public static BenchReport run(Path directory, int mtuBytes, PrintStream progress)
      throws IOException {
    List<AeronSettings> grid =
        mtuBytes == 0 ? AeronSettings.GRID : AeronSettings.gridOfPath(mtuBytes);
    AeronSettings settings = bestOf(grid, directory, progress);
    List<Reference> sides = new ArrayList<>();
    try (PrefaultedFile content = new PrefaultedFile(directory.resolve("content"), 64L * MIB, 7)) {
      sides.add(new KvasirPull("pull", startCluster(directory, mtuBytes), content.memory()));
      sides.add(new RawAeron(settings, directory, ROUND_BYTES, true));
      sides.add(new RawAeron(settings, directory, ROUND_BYTES, false));
      sides.add(new JavaTcp(directory, ROUND_BYTES, true));
      sides.add(new JavaTcp(directory, ROUND_BYTES, false));
      sides.add(new Memcpy(directory, ROUND_BYTES));
      Optional<RedisGet> redis = RedisGet.startIfInstalled(directory, ROUND_BYTES);
      redis.ifPresentOrElse(
          sides::add,
          () -> progress.println("bench: redis-server is not installed, so there is no redis-get"));
      return new BenchReport(BenchReport.Machine.current(), rows(sides, progress));
    } finally {
      for (Reference side : sides.reversed()) {
        side.close();
      }
    }
  }

  /**
   * Requires that the loopback device takes datagrams of exactly this size, so that every side has
   * the same path.
   *
   * @throws IllegalArgumentException KVA-0670 if the device has another MTU
   */
  public static void requirePath(int mtuBytes) {
    int needed = mtuBytes + UDP_OVERHEAD_BYTES;
    int found = BenchReport.Machine.current().loopbackMtu();
    if (found != needed) {
      throw new IllegalArgumentException(
          "KVA-0670 the loopback device does not enforce this MTU - mtu="
              + mtuBytes
              + " device="
              + found
              + " needed="
              + needed
              + "; run it in a network namespace: unshare --map-root-user --net sh -c"
              + " 'ip link set lo mtu "
              + needed
              + " up; ./kvasir bench pull --mtu "
              + mtuBytes
              + "'");
    }
  }

  private static LocalCluster startCluster(Path directory, int mtuBytes) throws IOException {
    LocalCluster.Builder cluster =
        LocalCluster.builder().nodes(2).slabDirectory(directory).slabBytes(SLAB_BYTES);
    if (mtuBytes != 0) {
      cluster.set("transport.mtu=" + mtuBytes);
    }
    return cluster.start();
  }

  private static List<BenchResult> rows(List<Reference> sides, PrintStream progress)
      throws IOException {
    List<BenchResult> rows = new ArrayList<>();
    Rounds.warmUp(sides, CHUNK_BYTES[0], ROUND_BYTES / CHUNK_BYTES[0], progress);
    for (int chunkBytes : CHUNK_BYTES) {
      int chunks = ROUND_BYTES / chunkBytes;
      Map<String, double[]> samples = Rounds.measure(sides, chunkBytes, chunks, progress);
      double[] ours = samplesOf(samples, sides.getFirst());
      for (Reference rival : sides.subList(1, sides.size())) {
        double[] theirs = samplesOf(samples, rival);
        rows.add(
            rival.name().endsWith("-nocrc")
                ? BenchResult.throughput(rival.name(), chunkBytes, chunks, theirs)
                : BenchResult.throughput(
                    sides.getFirst().name(), chunkBytes, chunks, ours, rival.name(), theirs));
      }
    }
    return rows;
  }

  private static double[] samplesOf(Map<String, double[]> samples, Reference side) {
    double[] found = samples.get(side.name());
    if (found == null) {
      throw new IllegalStateException("side was not measured: " + side.name());
    }
    return found;
  }

  /** Raw Aeron may choose its settings; a rival that was set up badly would flatter us. */
  private static AeronSettings bestOf(
      List<AeronSettings> grid, Path directory, PrintStream progress) throws IOException {
    AeronSettings best = grid.getFirst();
    double bestSpeed = 0;
    for (AeronSettings settings : grid) {
      double[] speeds = new double[GRID_TRIES];
      try (Reference aeron = new RawAeron(settings, directory, ROUND_BYTES, true)) {
        for (int i = 0; i < GRID_WARM_UP; i++) {
          aeron.deliver(32 * MIB, ROUND_BYTES / (32 * MIB));
        }
        for (int i = 0; i < GRID_TRIES; i++) {
          speeds[i] = ROUND_BYTES / (double) aeron.deliver(32 * MIB, ROUND_BYTES / (32 * MIB));
        }
      }
      double speed = Samples.median(speeds);
      progress.printf("bench: %s %s gives %.2f GB/s%n", BEST_OF_GRID, settings, speed);
      if (speed > bestSpeed) {
        bestSpeed = speed;
        best = settings;
      }
    }
    return best;
  }
}
