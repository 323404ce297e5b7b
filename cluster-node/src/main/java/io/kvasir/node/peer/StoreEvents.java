package io.kvasir.node.peer;

import io.kvasir.node.store.RemovalReason;
import io.kvasir.node.store.StoreListener;
import io.kvasir.placement.ChunkKey;
import org.agrona.collections.Long2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Brings the store's answers to those who asked, by cookie, and its changes to the index. Node
 * agent only.
 */
public final class StoreEvents implements StoreListener {
  /** Someone who waits for an answer of the store. */
  public interface Waiter {
    /** The chunk in the slot is visible. */
    default void committed(final int slot, final long version) {
      throw new IllegalStateException("nothing was committed");
    }

    /** The chunk is not visible; the slot is still reserved. */
    default void commitFailed(final int slot, final int code) {
      throw new IllegalStateException("nothing was committed");
    }

    /** The checksum of a part of the slot. */
    default void checksum(final int slot, final int crc32c) {
      throw new IllegalStateException("no checksum was asked for");
    }

    /** The pin holds if {@code ok}. */
    default void pinVerified(final int slot, final boolean ok) {
      throw new IllegalStateException("nothing was pinned");
    }
  }

  private final Long2ObjectHashMap<Waiter> waiters = new Long2ObjectHashMap<>();
  private @Nullable IndexFeed feed;
  private long lastCookie;

  /** Sends changes to the index from now on. */
  public void feed(final IndexFeed indexFeed) {
    feed = indexFeed;
  }

  /** The cookie of the next call into the store that may answer later. */
  public long register(final Waiter waiter) {
    waiters.put(++lastCookie, waiter);
    return lastCookie;
  }

  /** The call was answered at once. */
  public void forget(final long cookie) {
    waiters.remove(cookie);
  }

  /** Number of answers outstanding. */
  public int pending() {
    return waiters.size();
  }

  @Override
  public void onCommitted(final long cookie, final int slot, final long version) {
    take(cookie).committed(slot, version);
  }

  @Override
  public void onCommitFailed(final long cookie, final int slot, final int code) {
    take(cookie).commitFailed(slot, code);
  }

  @Override
  public void onPinVerified(final long cookie, final int slot, final boolean ok) {
    take(cookie).pinVerified(slot, ok);
  }

  @Override
  public void onChecksum(final long cookie, final int slot, final int crc32c) {
    take(cookie).checksum(slot, crc32c);
  }

  @Override
  public void onAdded(
      final ChunkKey key, final long group, final long version, final int lengthBytes) {
    if (feed != null) {
      feed.added(key, group, version, lengthBytes);
    }
  }

  @Override
  public void onRemoved(
      final ChunkKey key, final long group, final long version, final RemovalReason reason) {
    if (feed != null) {
      feed.removed(key, group, version);
    }
  }

  private Waiter take(final long cookie) {
    final Waiter waiter = waiters.remove(cookie);
    if (waiter == null) {
      throw new IllegalStateException("the store answered twice - cookie=" + cookie);
    }
    return waiter;
  }
}
