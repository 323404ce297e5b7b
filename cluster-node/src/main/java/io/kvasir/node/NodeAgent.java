package io.kvasir.node;

import java.io.IOException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.util.ArrayDeque;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.agrona.concurrent.ManyToOneConcurrentArrayQueue;
import org.agrona.concurrent.NanoClock;
import org.jspecify.annotations.Nullable;

/**
 * The thread that owns the store and the engine sockets. It sleeps in its selector until a socket,
 * a task of another thread or a timer wants it; tasks wake it only if it sleeps.
 */
final class NodeAgent implements Executor, AutoCloseable {
  /** What the agent does. All methods run on the agent's thread. */
  interface Duty {
    /** Does what is to be done now; returns how much that was. */
    int doWork(long nowNs);

    /** Nanoseconds until there is something to do by the clock. */
    long untilTimerNs(long nowNs);

    /** A socket is ready. */
    void selected(SelectionKey key);
  }

  private enum Phase {
    /** Works, and looks for tasks once more before it sleeps. */
    WORKING,
    /** There may be something new to look for. */
    WOKEN,
    /** Sleeps, or is about to. */
    SLEEPING
  }

  private static final int TASKS_MAX = 1 << 16;
  private static final int DRAIN_MAX = 256;
  private static final long STOP_MILLIS_MAX = 10_000;
  private static final long SLEEP_MILLIS_MAX = 1_000;

  /**
   * How long it looks for the next frame before it sleeps again. An engine sends it within
   * microseconds of the last answer, and to wake a thread on an idle core of a virtual machine
   * takes up to a hundred.
   */
  private static final long LINGER_NS = 50_000;

  private final NanoClock clock;
  private final Consumer<Throwable> onFailure;
  private final Selector selector;
  private final ManyToOneConcurrentArrayQueue<Runnable> tasks =
      new ManyToOneConcurrentArrayQueue<>(TASKS_MAX);

  /** Tasks that the agent gives itself: they must not wait for room in its own queue. */
  private final ArrayDeque<Runnable> ownTasks = new ArrayDeque<>();

  private final AtomicReference<Phase> phase = new AtomicReference<>(Phase.WOKEN);
  private final Consumer<Runnable> onTask = Runnable::run; // a field: no allocation per cycle
  private @Nullable Thread thread;
  private volatile boolean isStopping;

  /**
   * @param onFailure told when the agent ends by an error: the node cannot go on then
   */
  NodeAgent(final NanoClock clock, final Consumer<Throwable> onFailure) throws IOException {
    this.clock = clock;
    this.onFailure = onFailure;
    this.selector = Selector.open();
  }

  /** Sockets whose keys go to the duty register here. */
  Selector selector() {
    return selector;
  }

  /** Starts the thread. */
  void start(final Duty duty) {
    thread = Thread.ofPlatform().name("kvasir-node").start(() -> run(duty));
  }

  /** Runs the task on the agent, in order. Waits while the queue is full, unless it stops. */
  @Override
  public void execute(final Runnable task) {
    if (Thread.currentThread().equals(thread)) {
      ownTasks.add(task);
      return;
    }
    while (!tasks.offer(task)) {
      if (isStopping) {
        return;
      }
      Thread.onSpinWait();
    }
    wakeUp();
  }

  /** Runs the call on the agent and waits for its result. */
  <T> T call(final Callable<T> call) throws Exception {
    if (isStopping) {
      throw new IllegalStateException("KVA-0115 the node agent has stopped");
    }
    final CompletableFuture<T> result = new CompletableFuture<>();
    execute(
        () -> {
          try {
            result.complete(call.call());
          } catch (final Exception | AssertionError e) {
            result.completeExceptionally(e);
          }
        });
    try {
      return result.get(STOP_MILLIS_MAX, TimeUnit.MILLISECONDS);
    } catch (final ExecutionException e) {
      if (e.getCause() instanceof Exception cause) {
        throw cause;
      }
      throw e;
    } catch (final TimeoutException e) {
      throw new IllegalStateException(
          "KVA-0110 the node agent does not answer - waitedMs=" + STOP_MILLIS_MAX, e);
    }
  }

  /** There is something for the duty, put where it looks by itself. Any thread. */
  void wakeUp() {
    if (phase.getAndSet(Phase.WOKEN) == Phase.SLEEPING) {
      selector.wakeup();
    }
  }

  /** Finishes the tasks given so far and ends the thread. Idempotent. */
  @Override
  public void close() throws IOException {
    isStopping = true;
    wakeUp();
    if (thread != null) {
      try {
        thread.join(STOP_MILLIS_MAX);
      } catch (final InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      if (thread.isAlive()) {
        throw new IllegalStateException(
            "KVA-0111 the node agent does not stop - waitedMs=" + STOP_MILLIS_MAX);
      }
    }
    selector.close();
  }

  private void run(final Duty duty) {
    final Consumer<SelectionKey> onKey = duty::selected;
    long lingerUntilNs = clock.nanoTime();
    try {
      while (!isStopping) {
        phase.set(Phase.WORKING);
        final int drained = drain();
        final long nowNs = clock.nanoTime();
        final int work = drained + duty.doWork(nowNs);
        final int sockets;
        if (work > 0 || !ownTasks.isEmpty()) {
          sockets = selector.selectNow(onKey);
        } else if (lingerUntilNs - nowNs > 0) {
          sockets = linger(onKey);
        } else {
          sockets = sleep(duty.untilTimerNs(nowNs), onKey);
        }
        if (sockets > 0) {
          lingerUntilNs = clock.nanoTime() + LINGER_NS;
        }
      }
      drain();
    } catch (final IOException | RuntimeException | Error e) {
      isStopping = true;
      onFailure.accept(e);
    }
  }

  // The engine, or the thread that has the next task, may need this core.
  @SuppressWarnings("ThreadPriorityCheck")
  private int linger(final Consumer<SelectionKey> onKey) throws IOException {
    final int sockets = selector.selectNow(onKey);
    if (sockets == 0) {
      Thread.yield();
    }
    return sockets;
  }

  /** Returns how many sockets were ready. */
  private int sleep(final long untilTimerNs, final Consumer<SelectionKey> onKey)
      throws IOException {
    // Who puts something down after this finds SLEEPING and wakes; who did so before left WOKEN.
    if (phase.compareAndSet(Phase.WORKING, Phase.SLEEPING)) {
      final long millis = 1 + TimeUnit.NANOSECONDS.toMillis(untilTimerNs);
      return selector.select(onKey, Math.clamp(millis, 1, SLEEP_MILLIS_MAX));
    }
    return selector.selectNow(onKey);
  }

  private int drain() {
    int drained = tasks.drain(onTask, DRAIN_MAX);
    for (int own = ownTasks.size(); own > 0; own--) {
      ownTasks.remove().run();
      drained++;
    }
    return drained;
  }
}
