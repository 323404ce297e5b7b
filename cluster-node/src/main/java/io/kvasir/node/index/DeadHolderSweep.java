package io.kvasir.node.index;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.LongPredicate;
import javax.cache.Cache;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.cache.CachePeekMode;

/**
 * Takes nodes that left for good out of the entries this node is primary for. Lookups ignore them
 * at once; this only gives the memory back, so it is slow on purpose and starts only when a mere
 * restart would be over.
 */
final class DeadHolderSweep {
  private static final long PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(5);

  private final Announcer announcer;
  private final LongPredicate isMember;
  private final BooleanSupplier stopped;

  DeadHolderSweep(
      final Announcer announcer, final LongPredicate isMember, final BooleanSupplier stopped) {
    this.announcer = announcer;
    this.isMember = isMember;
    this.stopped = stopped;
  }

  /** Blocks until the local part of the index is searched. */
  void run(final IgniteCache<byte[], byte[]> cache) {
    for (final Cache.Entry<byte[], byte[]> entry : cache.localEntries(CachePeekMode.PRIMARY)) {
      final byte[] value = entry.getValue();
      if (!IndexEntry.isValid(value)) {
        continue;
      }
      for (int i = 0; i < IndexEntry.count(value); i++) {
        final long nodeId = IndexEntry.nodeId(value, i);
        if (!isMember.test(nodeId)) {
          while (!stopped.getAsBoolean() && announcer.room() < Announcer.QUEUE_MAX / 2) {
            LockSupport.parkNanos(PAUSE_NS);
          }
          if (stopped.getAsBoolean()) {
            return;
          }
          announcer.offer(
              entry.getKey(), HolderUpdate.remove(nodeId, IndexEntry.version(value, i)), null);
        }
      }
    }
  }
}
