package io.kvasir.transport;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Settings of a {@link Transport}. Build one with {@link #builder}.
 *
 * @param nodeId id of this node, never 0.
 * @param clusterName peers of another cluster are refused.
 * @param bindAddress address to bind; a name is resolved once, at start.
 * @param port UDP port, or 0 for any free one.
 * @param mtuBytes largest Aeron frame, a multiple of 32, or 0 to choose: 65,504 on loopback, else
 *     1,408.
 * @param termBytes term length of data publications, a power of two. A publication and an image
 *     each map three terms.
 * @param windowBytes receiver window of data streams; reduced to the granted socket buffer.
 * @param aeronDirectory directory of the media driver. An embedded driver creates and deletes it.
 * @param externalDriver whether {@code aeronDirectory} belongs to a driver that runs already.
 * @param creditBytes payload bytes that a holder may send ahead of the reader, per pull.
 * @param demandBytesPerSecond what this node sends at most for demand pulls of peers, 0: no cap.
 * @param handoffBytesPerSecond the same for hand-offs.
 * @param maxPullsInFlight pulls of this node that have not ended, of each traffic class.
 * @param maxServesInFlight pulls of peers that are being served, of each traffic class.
 * @param maxSessions peers with a session, and also strangers that have not introduced themselves.
 * @param heartbeat interval of heartbeats while a session has work.
 * @param silence a pull fails after this time without a frame from its holder.
 * @param sessionTimeout a session with work closes after this time without a frame.
 * @param idleClose a session closes after this time without work.
 */
public record TransportConfig(
    long nodeId,
    String clusterName,
    String bindAddress,
    int port,
    int mtuBytes,
    int termBytes,
    int windowBytes,
    Path aeronDirectory,
    boolean externalDriver,
    long creditBytes,
    long demandBytesPerSecond,
    long handoffBytesPerSecond,
    int maxPullsInFlight,
    int maxServesInFlight,
    int maxSessions,
    Duration heartbeat,
    Duration silence,
    Duration sessionTimeout,
    Duration idleClose) {
  static final int MTU_MIN_BYTES = 1_408;
  static final int MTU_MAX_BYTES = 65_504;
  static final int TERM_MIN_BYTES = 256 * 1024;
  static final int TERM_MAX_BYTES = 1 << 30;
  static final long CAP_MIN_BYTES = 64 * 1024;
  private static final long LOG_METADATA_BYTES = 4096;

  public TransportConfig {
    List<String> problems = new ArrayList<>();
    check(problems, nodeId != 0, "node-id=0 must not be zero");
    check(problems, port >= 0 && port <= 65_535, "port=" + port + " must be 0 to 65535");
    check(
        problems,
        mtuBytes == 0
            || (mtuBytes >= MTU_MIN_BYTES && mtuBytes <= MTU_MAX_BYTES && mtuBytes % 32 == 0),
        "mtu=" + mtuBytes + " must be 0 or a multiple of 32 from 1408 to 65504");
    check(
        problems,
        Integer.bitCount(termBytes) == 1
            && termBytes >= TERM_MIN_BYTES
            && termBytes <= TERM_MAX_BYTES,
        "term-bytes=" + termBytes + " must be a power of two from 256 KiB to 1 GiB");
    check(
        problems,
        windowBytes >= MTU_MAX_BYTES && windowBytes <= termBytes / 2,
        "window-bytes=" + windowBytes + " must be 65504 to half of term-bytes=" + termBytes);
    check(problems, creditBytes >= MTU_MAX_BYTES, "credit=" + creditBytes + " must be >= 65504");
    cap(problems, "demand-bytes-per-second", demandBytesPerSecond);
    cap(problems, "handoff-bytes-per-second", handoffBytesPerSecond);
    limit(problems, "max-pulls", maxPullsInFlight, 65_536);
    limit(problems, "max-serves", maxServesInFlight, 65_536);
    limit(problems, "max-sessions", maxSessions, 65_536);
    positive(problems, "heartbeat", heartbeat);
    check(
        problems,
        silence.compareTo(heartbeat.multipliedBy(2)) >= 0,
        "silence=" + silence + " must be at least two heartbeats");
    check(
        problems,
        sessionTimeout.compareTo(silence) >= 0,
        "session-timeout=" + sessionTimeout + " must not be below silence=" + silence);
    positive(problems, "idle-close", idleClose);
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          "KVA-0401 transport settings rejected - " + String.join("; ", problems));
    }
  }

  private static void check(List<String> problems, boolean good, String problem) {
    if (!good) {
      problems.add(problem);
    }
  }

  private static void limit(List<String> problems, String name, int value, int max) {
    check(problems, value >= 1 && value <= max, name + "=" + value + " must be 1 to " + max);
  }

  private static void cap(List<String> problems, String name, long value) {
    check(
        problems,
        value == 0 || value >= CAP_MIN_BYTES,
        name + "=" + value + " must be 0 or at least " + CAP_MIN_BYTES);
  }

  private static void positive(List<String> problems, String name, Duration value) {
    check(problems, value.isPositive(), name + "=" + value + " must be positive");
  }

  /**
   * Room that log buffers take in the Aeron directory while there are sessions with this many
   * peers: three terms and a page of metadata per publication and image, control and data, once
   * they have been written through.
   */
  public static long logBufferBytes(int termBytes, int peers) {
    long onePair = 3L * (termBytes + Streams.CONTROL_TERM_BYTES) + 2 * LOG_METADATA_BYTES;
    return 2 * onePair * peers;
  }

  /**
   * Settings with every default.
   *
   * @param nodeId id of this node.
   * @param clusterName name of the cluster.
   * @param aeronDirectory directory of the media driver.
   */
  public static Builder builder(long nodeId, String clusterName, Path aeronDirectory) {
    return new Builder(nodeId, clusterName, aeronDirectory);
  }

  /** Collects settings. Not thread-safe. */
  public static final class Builder {
    private final long nodeId;
    private final String clusterName;
    private final Path aeronDirectory;
    private String bindAddress = "127.0.0.1";
    private int port;
    private int mtuBytes;
    private int termBytes = 2 << 20;
    private int windowBytes = 1 << 20;
    private boolean externalDriver;
    private long creditBytes = 8 << 20;
    private long demandBytesPerSecond;
    private long handoffBytesPerSecond;
    private int maxPullsInFlight = 256;
    private int maxServesInFlight = 256;
    private int maxSessions = 256;
    private Duration heartbeat = Duration.ofMillis(100);
    private Duration silence = Duration.ofMillis(700);
    private Duration sessionTimeout = Duration.ofSeconds(5);
    private Duration idleClose = Duration.ofSeconds(60);

    private Builder(long nodeId, String clusterName, Path aeronDirectory) {
      this.nodeId = nodeId;
      this.clusterName = clusterName;
      this.aeronDirectory = aeronDirectory;
    }

    /** Address to bind and UDP port, 0 for any free one. */
    public Builder bind(String address, int udpPort) {
      bindAddress = address;
      port = udpPort;
      return this;
    }

    /** Largest Aeron frame, 0 to choose by address. */
    public Builder mtuBytes(int bytes) {
      mtuBytes = bytes;
      return this;
    }

    /** Term length of data publications. */
    public Builder termBytes(int bytes) {
      termBytes = bytes;
      return this;
    }

    /** Receiver window of data streams. */
    public Builder windowBytes(int bytes) {
      windowBytes = bytes;
      return this;
    }

    /** Whether the driver of the Aeron directory runs already and is not ours. */
    public Builder externalDriver(boolean external) {
      externalDriver = external;
      return this;
    }

    /** Payload that a holder may send ahead, per pull. */
    public Builder creditBytes(long bytes) {
      creditBytes = bytes;
      return this;
    }

    /** Bytes that leave in a second, at most, for demand pulls and for hand-offs; 0 for no cap. */
    public Builder caps(long demand, long handoff) {
      demandBytesPerSecond = demand;
      handoffBytesPerSecond = handoff;
      return this;
    }

    /** Limits of pulls and serves in flight, and of sessions. */
    public Builder limits(int pulls, int serves, int sessions) {
      maxPullsInFlight = pulls;
      maxServesInFlight = serves;
      maxSessions = sessions;
      return this;
    }

    /** Heartbeat interval, silence limit of a pull and time-out of a session with work. */
    public Builder liveness(Duration beat, Duration silent, Duration timeout) {
      heartbeat = beat;
      silence = silent;
      sessionTimeout = timeout;
      return this;
    }

    /** Time without work after which a session closes. */
    public Builder idleClose(Duration idle) {
      idleClose = idle;
      return this;
    }

    /** The checked settings. */
    public TransportConfig build() {
      return new TransportConfig(
          nodeId,
          clusterName,
          bindAddress,
          port,
          mtuBytes,
          termBytes,
          windowBytes,
          aeronDirectory,
          externalDriver,
          creditBytes,
          demandBytesPerSecond,
          handoffBytesPerSecond,
          maxPullsInFlight,
          maxServesInFlight,
          maxSessions,
          heartbeat,
          silence,
          sessionTimeout,
          idleClose);
    }
  }
}
