package io.kvasir.node.store;

import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.zip.CRC32C;
import org.agrona.concurrent.ManyToManyConcurrentArrayQueue;
import org.agrona.concurrent.ManyToOneConcurrentArrayQueue;
import org.jspecify.annotations.Nullable;

/**
 * Threads that compute CRC-32C of extents, so that the node agent never does. Work waits in a
 * bounded queue; what does not fit waits at the node agent, at most one job per slot.
 *
 * <p>{@link #submit} and {@link #drain} are for the node agent only.
 */
final class ChecksumWorkers implements AutoCloseable {
  private static final int QUEUE_LENGTH = 1024;
  private static final int DRAIN_MAX = 64;
  private static final long JOIN_DEADLINE_MILLIS = 10_000;

  private final ManyToManyConcurrentArrayQueue<ChecksumJob> work =
      new ManyToManyConcurrentArrayQueue<>(QUEUE_LENGTH);
  // Room for every job in the work queue and in the hands of a worker: offer never fails.
  private final ManyToOneConcurrentArrayQueue<ChecksumJob> results =
      new ManyToOneConcurrentArrayQueue<>(2 * QUEUE_LENGTH);
  private final ArrayDeque<ChecksumJob> backlog = new ArrayDeque<>();
  private final ArrayDeque<ChecksumJob> idleJobs = new ArrayDeque<>();
  private final Worker[] workers;
  private final Runnable wakeOwner;
  private int inFlight;
  private volatile boolean stopping;

  ChecksumWorkers(int threadCount, Slab slab, Runnable wakeOwner) {
    this.wakeOwner = wakeOwner;
    this.workers = new Worker[threadCount];
    for (int i = 0; i < threadCount; i++) {
      workers[i] = new Worker(i, slab.buffers());
    }
    for (Worker worker : workers) {
      worker.thread.start();
    }
  }

  /** One thread, with its own view of the slab: buffers have a position. */
  private final class Worker implements Runnable {
    private final CRC32C crc = new CRC32C();
    private final ByteBuffer[] buffers;
    private final Thread thread;
    private volatile boolean parking;

    Worker(int number, ByteBuffer[] buffers) {
      this.buffers = buffers;
      this.thread = Thread.ofPlatform().daemon().name("kvasir-checksum-" + number).unstarted(this);
    }

    @Override
    public void run() {
      while (!stopping) {
        @Nullable ChecksumJob job = work.poll();
        if (job != null) {
          compute(job);
          continue;
        }
        parking = true;
        // Looked at again after the flag: whoever offers before this line need not see the flag.
        if (work.isEmpty() && !stopping) {
          LockSupport.park(ChecksumWorkers.this);
        }
        parking = false;
      }
    }

    private void compute(ChecksumJob job) {
      ByteBuffer extent = buffers[job.segment];
      extent.clear().position(job.offsetInSegment).limit(job.offsetInSegment + job.lengthBytes);
      crc.reset();
      crc.update(extent);
      job.resultCrc32c = (int) crc.getValue();
      results.add(job);
      wakeOwner.run();
    }
  }

  /** A job to fill in and {@link #submit}. */
  ChecksumJob newJob() {
    ChecksumJob job = idleJobs.poll();
    return job == null ? new ChecksumJob() : job;
  }

  void submit(ChecksumJob job) {
    if (!backlog.isEmpty() || !offer(job)) {
      backlog.add(job);
    }
  }

  private boolean offer(ChecksumJob job) {
    if (inFlight == QUEUE_LENGTH || !work.offer(job)) {
      return false;
    }
    inFlight++;
    // The offer must be visible before the flags are read, or a parking worker misses it.
    VarHandle.fullFence();
    for (Worker worker : workers) {
      if (worker.parking) {
        LockSupport.unpark(worker.thread);
        break;
      }
    }
    return true;
  }

  /** Hands finished jobs to {@code consumer}; returns how many. */
  int drain(Consumer<ChecksumJob> consumer) {
    int drained = 0;
    for (; drained < DRAIN_MAX; drained++) {
      @Nullable ChecksumJob job = results.poll();
      if (job == null) {
        break;
      }
      inFlight--;
      consumer.accept(job);
      job.owner = null;
      idleJobs.add(job);
    }
    while (!backlog.isEmpty() && offer(backlog.element())) {
      backlog.remove();
    }
    if (drained == DRAIN_MAX) {
      wakeOwner.run();
    }
    return drained;
  }

  @Override
  public void close() {
    stopping = true;
    for (Worker worker : workers) {
      LockSupport.unpark(worker.thread);
    }
    boolean interrupted = false;
    for (Worker worker : workers) {
      try {
        worker.thread.join(JOIN_DEADLINE_MILLIS);
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
