package io.kvasir.benchmarks.reference;

import io.aeron.driver.ThreadingMode;
import java.util.List;

/**
 * One point of the grid that raw Aeron is allowed to win with.
 *
 * @param mode {@code INVOKER} runs the driver on the thread that copies, the others on own threads
 * @param mtuBytes largest UDP payload
 * @param termBytes length of a term buffer, a power of two
 * @param windowBytes receiver window, at most what the socket buffer grants
 * @param checksumOnArrival the receiver takes the checksum fragment by fragment, as the node's lane
 *     does, else chunk by chunk on a worker
 */
public record AeronSettings(
    ThreadingMode mode, int mtuBytes, int termBytes, int windowBytes, boolean checksumOnArrival) {
  private static final int LOOPBACK_MTU = 65_504;
  private static final int MIB = 1 << 20;

  /** Small and fixed: the neighbourhood of what was fastest on few cores. */
  public static final List<AeronSettings> GRID =
      List.of(
          new AeronSettings(ThreadingMode.INVOKER, LOOPBACK_MTU, 2 * MIB, MIB, false),
          new AeronSettings(ThreadingMode.INVOKER, LOOPBACK_MTU, 2 * MIB, MIB, true),
          new AeronSettings(ThreadingMode.INVOKER, LOOPBACK_MTU, 4 * MIB, 2 * MIB, true),
          new AeronSettings(ThreadingMode.INVOKER, 32_736, 2 * MIB, MIB, true),
          new AeronSettings(ThreadingMode.SHARED, LOOPBACK_MTU, 2 * MIB, MIB, false),
          new AeronSettings(ThreadingMode.DEDICATED, LOOPBACK_MTU, 4 * MIB, 2 * MIB, false));

  /** The grid where no datagram may be longer than the path takes. */
  public static List<AeronSettings> gridOfPath(int mtuBytes) {
    return GRID.stream()
        .map(
            any ->
                new AeronSettings(
                    any.mode, mtuBytes, any.termBytes, any.windowBytes, any.checksumOnArrival))
        .distinct()
        .toList();
  }

  String toArgument() {
    return mode + "," + mtuBytes + "," + termBytes + "," + windowBytes + "," + checksumOnArrival;
  }

  static AeronSettings fromArgument(String argument) {
    String[] parts = argument.split(",", -1);
    return new AeronSettings(
        ThreadingMode.valueOf(parts[0]),
        Integer.parseInt(parts[1]),
        Integer.parseInt(parts[2]),
        Integer.parseInt(parts[3]),
        Boolean.parseBoolean(parts[4]));
  }
}
