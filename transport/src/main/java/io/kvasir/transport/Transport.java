package io.kvasir.transport;

import io.aeron.driver.MediaDriver;
import io.kvasir.placement.ChunkKey;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.security.SecureRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * Moves chunks between nodes: pulls from peers into memory of the caller, and serves pulls of peers
 * from a {@link ChunkSource}. Everything runs on one lane thread with a media driver of its own.
 *
 * <p>Thread-safe.
 */
public final class Transport implements AutoCloseable {
  private static final long START_SECONDS_MAX = 30;
  private static final long STOP_MILLIS_MAX = 10_000;

  private final Lane lane;
  private final String endpoint;

  private Transport(Lane lane, String endpoint) {
    this.lane = lane;
    this.endpoint = endpoint;
  }

  /**
   * Binds and starts the lane thread.
   *
   * @param config settings.
   * @param source answers the pulls of peers.
   * @param questions hears the questions of peers, and their answers.
   * @throws IllegalStateException if the endpoint or the Aeron directory cannot be had.
   */
  public static Transport start(TransportConfig config, ChunkSource source, Questions questions) {
    return start(config, Identity.of(config, new SecureRandom()), source, questions, context -> {});
  }

  /** For tests: another identity, another driver. */
  static Transport start(
      TransportConfig config,
      Identity identity,
      ChunkSource source,
      Questions questions,
      Consumer<MediaDriver.Context> adjustDriver) {
    refuseWildcard(config);
    Lane lane = new Lane(config, identity, source, questions, adjustDriver);
    CompletableFuture<String> bound = lane.start();
    try {
      return new Transport(lane, bound.get(START_SECONDS_MAX, TimeUnit.SECONDS));
    } catch (ExecutionException e) {
      throw cannotStart(config, e.getCause() == null ? e : e.getCause());
    } catch (TimeoutException e) {
      lane.stop();
      throw cannotStart(config, e);
    } catch (InterruptedException e) {
      lane.stop();
      Thread.currentThread().interrupt();
      throw cannotStart(config, e);
    }
  }

  private static void refuseWildcard(TransportConfig config) {
    try {
      if (InetAddress.getByName(config.bindAddress()).isAnyLocalAddress()) {
        throw new IllegalArgumentException(
            "KVA-0414 cannot bind to every address - bind="
                + config.bindAddress()
                + "; name the address at which peers reach this node");
      }
    } catch (UnknownHostException e) {
      throw cannotStart(config, e);
    }
  }

  private static IllegalStateException cannotStart(TransportConfig config, Throwable cause) {
    return new IllegalStateException(
        "KVA-0415 transport not started - bind="
            + config.bindAddress()
            + " port="
            + config.port()
            + " aeronDir="
            + config.aeronDirectory()
            + "; "
            + cause.getMessage(),
        cause);
  }

  /** The numeric {@code address:port} that peers dial. */
  public String endpoint() {
    return endpoint;
  }

  /**
   * Starts a pull. Its listener hears of every chunk exactly once, also when this transport closes.
   *
   * @return false if as many pulls as allowed are in flight, or the transport is closed; the
   *     listener hears nothing then.
   * @throws IllegalArgumentException if a pull of this id is in flight, or a destination is not
   *     accessible from the lane thread.
   */
  public boolean pull(PullRequest request) {
    for (PullChunk chunk : request.chunks()) {
      if (!chunk.destination().isAccessibleBy(lane.thread())) {
        throw new IllegalArgumentException(
            "KVA-0416 pull rejected - pullId="
                + request.pullId()
                + "; destinations must be accessible from every thread");
      }
    }
    return lane.submit(request);
  }

  /** Cancels a pull, if it is in flight: each chunk that has not ended fails with CANCELLED. */
  public void cancel(long pullId) {
    lane.cancel(pullId);
  }

  /**
   * Tells a peer that the bytes it sent of a chunk did not have their checksum, so that it looks at
   * its own. Best effort: nothing is told without a session.
   */
  public void doubt(long peerNodeId, ChunkKey key, long version) {
    lane.doubt(new Doubt(peerNodeId, key, version));
  }

  /**
   * Asks a peer; its answer, if one comes, comes to the {@link Questions} given at the start.
   *
   * @param endpoint where to dial the peer if there is no session with it.
   * @param body of at most {@link #noteBytesMax()} bytes; not changed any more.
   * @return false if too many wait to be sent, or the transport is closed.
   * @throws IllegalArgumentException if the body is too long.
   */
  public boolean ask(long peerNodeId, String endpoint, long questionId, byte[] body) {
    return note(new Note(Note.Kind.QUESTION, peerNodeId, endpoint, questionId, body));
  }

  /** Answers a peer's question, or a part of it; as {@link #ask}. */
  public boolean answer(long peerNodeId, long questionId, byte[] body) {
    return note(new Note(Note.Kind.ANSWER, peerNodeId, null, questionId, body));
  }

  /**
   * Sends a remark over the session that stands with the peer; without one it goes nowhere, and
   * {@link Questions#closed} has been or is being told. A session that takes no more remarks ends.
   *
   * @return false if the lane takes none at the moment, or the transport is closed.
   * @throws IllegalArgumentException if the body is too long.
   */
  public boolean remark(long peerNodeId, byte[] body) {
    return note(new Note(Note.Kind.REMARK, peerNodeId, null, 0, body));
  }

  /**
   * Tells a peer something of a hand-off; as {@link #ask}, but nobody answers.
   *
   * @param handoffId comes to the peer's {@link Questions#told} with the body.
   */
  public boolean tell(long peerNodeId, String endpoint, long handoffId, byte[] body) {
    return note(new Note(Note.Kind.HANDOFF, peerNodeId, endpoint, handoffId, body));
  }

  private boolean note(Note note) {
    if (note.body().length > noteBytesMax()) {
      throw new IllegalArgumentException(
          "KVA-0427 too long for one frame - bytes="
              + note.body().length
              + " (limit="
              + noteBytesMax()
              + ")");
    }
    return lane.note(note);
  }

  /** Longest body of a question, an answer or a remark: one frame carries it. */
  public int noteBytesMax() {
    return lane.noteBytesMax();
  }

  /** Counters since the start. */
  public TransportStats stats() {
    return TransportStats.of(lane.counters());
  }

  Thread laneThread() {
    return lane.thread();
  }

  /**
   * Ends all pulls and serves, says goodbye to peers, and deletes an embedded driver's directory.
   */
  @Override
  public void close() {
    lane.stop();
    boolean wasInterrupted = false;
    long untilNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(STOP_MILLIS_MAX);
    while (lane.thread().isAlive() && System.nanoTime() - untilNs < 0) {
      try {
        lane.thread().join(STOP_MILLIS_MAX);
      } catch (InterruptedException e) {
        wasInterrupted = true;
      }
    }
    if (wasInterrupted) {
      Thread.currentThread().interrupt();
    }
    if (lane.thread().isAlive()) {
      throw new IllegalStateException(
          "KVA-0417 lane thread does not stop - waitedMs=" + STOP_MILLIS_MAX);
    }
  }
}
