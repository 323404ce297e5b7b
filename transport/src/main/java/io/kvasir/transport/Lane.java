package io.kvasir.transport;

import io.aeron.driver.MediaDriver;
import io.aeron.exceptions.AeronEvent;
import io.kvasir.transport.Counters.Counter;
import io.kvasir.transport.Session.CloseReason;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.agrona.concurrent.ManyToOneConcurrentArrayQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent of a lane group: one thread that runs the media driver, the Aeron client and every
 * session. Other threads reach it through a bounded queue of pulls, the cancel flag of a pull and
 * the answers of a serve.
 */
final class Lane implements Runnable {
  private static final Logger LOG = LoggerFactory.getLogger(Lane.class);
  private static final long TICK_NS = 2_000_000;
  private static final long REOPEN_NS = 1_000_000_000;
  private static final long ERROR_LOG_NS = 1_000_000_000;
  private static final long FAREWELL_NS = 20_000_000;
  private static final int DOUBTS_MAX = 1_024;
  private static final int NOTES_MAX = 4_096;

  private final TransportConfig config;
  private final LaneContext context;
  private final SessionTable table;
  private final Consumer<MediaDriver.Context> adjustDriver;
  private final CompletableFuture<String> endpoint = new CompletableFuture<>();
  private final ManyToOneConcurrentArrayQueue<Pull> submitted;
  private final ManyToOneConcurrentArrayQueue<Doubt> doubts =
      new ManyToOneConcurrentArrayQueue<>(DOUBTS_MAX);
  private final Consumer<Doubt> onDoubt;
  private final ManyToOneConcurrentArrayQueue<Note> notes =
      new ManyToOneConcurrentArrayQueue<>(NOTES_MAX);
  private final Consumer<Note> onNote;
  private final ConcurrentHashMap<Long, Pull> pulls = new ConcurrentHashMap<>();
  private final AtomicInteger demandPulls = new AtomicInteger();
  private final AtomicInteger handoffPulls = new AtomicInteger();
  private final LaneIdle idle = new LaneIdle();
  private final Thread thread;
  private volatile boolean isRunning = true;
  private volatile boolean isTerminated;
  private volatile boolean nextTickIsNow;
  private volatile int noteBytesMax;
  private @Nullable AeronStack stack;
  private String boundAddress = "";
  private int port;
  private long turnNs;
  private long nextTickNs;
  private long mayJudgeAtNs;
  private long nextOpenNs;
  private long lastErrorLogNs;
  private boolean isBroken;

  Lane(
      TransportConfig config,
      Identity identity,
      ChunkSource source,
      Questions questions,
      Consumer<MediaDriver.Context> adjustDriver) {
    this.config = config;
    this.adjustDriver = adjustDriver;
    this.context =
        new LaneContext(config, identity, source, questions, idle::wake, new SecureRandom());
    this.table = new SessionTable(context, this::onPullEnded);
    this.onDoubt = table::doubt;
    this.onNote = note -> table.note(note, turnNs);
    int pullsMax = TrafficClass.values().length * config.maxPullsInFlight();
    this.submitted = new ManyToOneConcurrentArrayQueue<>(pullsMax);
    this.port = config.port();
    this.thread = Thread.ofPlatform().name("kvasir-lane-0").daemon().unstarted(this);
  }

  // Any thread.

  /** Starts the thread; the endpoint is complete once the lane is bound, or could not be. */
  CompletableFuture<String> start() {
    thread.start();
    return endpoint;
  }

  boolean submit(PullRequest request) {
    AtomicInteger inFlight = inFlight(request.trafficClass());
    if (!isRunning || inFlight.incrementAndGet() > config.maxPullsInFlight()) {
      inFlight.decrementAndGet();
      return false;
    }
    Pull pull = new Pull(request, config.creditBytes(), System.nanoTime());
    if (pulls.putIfAbsent(request.pullId(), pull) != null) {
      inFlight.decrementAndGet();
      throw new IllegalArgumentException(
          "KVA-0411 pull id is in flight - pullId=" + request.pullId() + "; choose another");
    }
    if (!submitted.offer(pull)) {
      throw new IllegalStateException("the queue holds every pull in flight");
    }
    idle.wake();
    if (isTerminated) {
      cancelSubmitted();
    }
    return true;
  }

  /** Of each class as many pulls as allowed: hand-offs wait long and must not take all places. */
  private AtomicInteger inFlight(TrafficClass trafficClass) {
    return switch (trafficClass) {
      case DEMAND -> demandPulls;
      case HANDOFF -> handoffPulls;
    };
  }

  private int pullsInFlight() {
    return demandPulls.get() + handoffPulls.get();
  }

  /** Ends what nobody will take out of the queue any more. */
  private synchronized void cancelSubmitted() {
    for (Pull pull = submitted.poll(); pull != null; pull = submitted.poll()) {
      pull.failAll(PullFailure.CANCELLED);
      onPullEnded(pull);
    }
  }

  void cancel(long pullId) {
    Pull pull = pulls.get(pullId);
    if (pull != null) {
      pull.requestCancel();
      nextTickIsNow = true;
      idle.wake();
    }
  }

  void doubt(Doubt about) {
    if (doubts.offer(about)) {
      idle.wake();
    }
  }

  boolean note(Note note) {
    boolean queued = isRunning && notes.offer(note);
    if (queued) {
      idle.wake();
    }
    return queued;
  }

  /** Set before the endpoint is complete, and then for ever. */
  int noteBytesMax() {
    return noteBytesMax;
  }

  Counters counters() {
    return context.counters;
  }

  Thread thread() {
    return thread;
  }

  /** Asks the thread to end; it says goodbye to its peers. */
  void stop() {
    isRunning = false;
    idle.wake();
  }

  // Lane thread.

  @Override
  public void run() {
    idle.attach(Thread.currentThread());
    try {
      open();
      endpoint.complete(endpointText());
    } catch (Throwable e) {
      isRunning = false;
      endpoint.completeExceptionally(e);
    }
    while (isRunning) {
      turn();
    }
    shutDown();
  }

  private void turn() {
    int work = 0;
    try {
      work = doWork(System.nanoTime());
    } catch (RuntimeException e) {
      onError(e);
    } catch (Error e) {
      // A full /dev/shm shows up as an InternalError in a copy; the logs cannot be trusted then.
      onError(e);
      isBroken = true;
    }
    boolean isActive = context.shares.servesInFlight() > 0 || pullsInFlight() > 0;
    try {
      idle.idle(work, isActive);
    } catch (RuntimeException e) {
      onError(e);
    }
  }

  private int doWork(long nowNs) {
    int work = 0;
    AeronStack current = stack;
    if (current == null) {
      reopen(nowNs);
    } else if (isBroken || current.isDead()) {
      LOG.warn("KVA-0412 Aeron gave up, restarting it - aeronDir={}", config.aeronDirectory());
      closeStack(CloseReason.LOST);
      nextOpenNs = nowNs;
    } else {
      work += current.doWork();
    }
    for (int i = 0; i < config.maxPullsInFlight(); i++) {
      Pull pull = submitted.poll();
      if (pull == null) {
        break;
      }
      context.counters.increment(Counter.PULLS_STARTED);
      table.pull(pull, nowNs);
      work++;
    }
    context.shares.beginTurn(nowNs);
    work += doubts.drain(onDoubt);
    turnNs = nowNs;
    work += notes.drain(onNote);
    work += table.doWork(nowNs);
    if (nextTickIsNow || nowNs - nextTickNs >= 0) {
      tick(nowNs);
    }
    return work;
  }

  private void tick(long nowNs) {
    nextTickIsNow = false;
    if (nowNs - nextTickNs > context.heartbeatNs) {
      // This thread was held up. What peers sent meanwhile is still to be read.
      mayJudgeAtNs = nowNs + context.heartbeatNs;
    }
    nextTickNs = nowNs + TICK_NS;
    table.onTick(nowNs, nowNs - mayJudgeAtNs >= 0);
    context.counters.set(Counter.PULLS_IN_FLIGHT, pullsInFlight());
  }

  private void onPullEnded(Pull pull) {
    pulls.remove(pull.request.pullId());
    inFlight(pull.request.trafficClass()).decrementAndGet();
  }

  // Aeron.

  private void open() throws IOException {
    String address = Endpoint.numericAddress(config.bindAddress());
    int mtuBytes = Streams.mtuBytes(config, address);
    noteBytesMax = ControlWriter.noteBytesMax(Streams.controlMtuBytes(mtuBytes));
    SocketBuffers buffers = SocketBuffers.probe(config.windowBytes(), mtuBytes);
    AeronStack.Handlers handlers =
        new AeronStack.Handlers(
            table::onImageAvailable,
            table::onImageUnavailable,
            table::onPublicationRejected,
            this::onError,
            () -> context.counters.increment(Counter.FRAMES_DROPPED),
            idle);
    AeronStack opened = AeronStack.open(config, address, port, buffers, handlers, adjustDriver);
    stack = opened;
    port = opened.port();
    isBroken = false;
    context.counters.increment(Counter.DRIVER_STARTS);
    boundAddress = address;
    table.attach(
        opened.aeron(), new Session.Wiring(endpointText(), mtuBytes, config.termBytes(), buffers));
    nextTickNs = System.nanoTime();
    mayJudgeAtNs = nextTickNs;
  }

  private String endpointText() {
    return boundAddress + ":" + port;
  }

  private void reopen(long nowNs) {
    if (nowNs - nextOpenNs < 0) {
      return;
    }
    nextOpenNs = nowNs + REOPEN_NS;
    try {
      open();
    } catch (IOException | RuntimeException e) {
      onError(e);
      closeStack(CloseReason.LOST);
    }
  }

  private void closeStack(CloseReason reason) {
    table.detach(reason);
    AeronStack current = stack;
    stack = null;
    if (current != null) {
      try {
        current.close();
      } catch (RuntimeException e) {
        onError(e);
      }
    }
  }

  private void shutDown() {
    AeronStack current = stack;
    try {
      table.detach(CloseReason.SHUTDOWN);
      long untilNs = System.nanoTime() + FAREWELL_NS;
      while (current != null && !current.isDead() && System.nanoTime() - untilNs < 0) {
        current.doWork();
      }
    } catch (RuntimeException e) {
      onError(e);
    }
    closeStack(CloseReason.SHUTDOWN);
    try {
      idle.close();
    } catch (IOException e) {
      onError(e);
    }
    isTerminated = true;
    cancelSubmitted();
  }

  /** Errors of strangers' frames come here too, so the log takes one a second. */
  private void onError(Throwable error) {
    context.counters.increment(Counter.AERON_ERRORS);
    if (error instanceof AeronEvent) {
      LOG.debug("Aeron says: {}", error.getMessage());
      return;
    }
    long nowNs = System.nanoTime();
    if (lastErrorLogNs == 0 || nowNs - lastErrorLogNs > ERROR_LOG_NS) {
      lastErrorLogNs = nowNs;
      LOG.warn("KVA-0413 error on the lane, going on - error={}", error.toString());
      LOG.debug("stack", error);
    }
  }
}
