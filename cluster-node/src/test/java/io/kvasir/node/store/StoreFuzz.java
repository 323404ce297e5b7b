package io.kvasir.node.store;

import static io.kvasir.node.store.StoreFixture.KIB;
import static io.kvasir.node.store.StoreFixture.MIB;
import static io.kvasir.node.store.StoreFixture.key;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.placement.ChunkKey;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.zip.CRC32C;
import org.agrona.collections.IntArrayList;

/**
 * Several owners do random things to one store; a model of a few maps says what must be true, and
 * the oracle runs after every step.
 */
final class StoreFuzz implements AutoCloseable {
  private static final int KEYS = 120;
  private static final int OWNERS = 4;
  private static final int RESTART_ONE_IN = 700;

  /** What one owner holds. */
  private static final class Party {
    final Owner owner;
    final long pid;
    final Map<Integer, Long> reserved = new HashMap<>(); // slot to key number
    final IntArrayList pins = new IntArrayList();

    Party(Owner owner, long pid) {
      this.owner = owner;
      this.pid = pid;
    }
  }

  private record Commit(Party party, int slot) {}

  private final long seed;
  private final SplittableRandom random;
  private final StoreFixture fixture;
  private final List<Party> parties = new ArrayList<>();
  private final Map<Long, Commit> committing = new HashMap<>(); // by cookie = key number
  private final Map<ChunkKey, Long> visible = new HashMap<>();
  private long pidSequence = 1;

  StoreFuzz(long seed) throws IOException {
    this.seed = seed;
    random = new SplittableRandom(seed);
    fixture = new StoreFixture(seed);
    fixture.config = config();
    for (int i = 0; i < OWNERS; i++) {
      parties.add(newParty());
    }
  }

  void run(int steps) {
    for (int step = 0; step < steps; step++) {
      try {
        step();
        settle();
        fixture.store().assertValid();
        checkModel();
      } catch (RuntimeException | AssertionError e) {
        throw new AssertionError("seed=" + seed + " step=" + step, e);
      }
    }
  }

  StoreStats stats() {
    return fixture.store().stats();
  }

  @Override
  public void close() throws IOException {
    fixture.close();
  }

  private StoreConfig config() {
    StoreConfig c = fixture.config(2 * MIB, seed % 2 == 0 ? 512 * KIB : 700 * KIB, 60);
    return new StoreConfig(
        c.slabDirectory(),
        c.runDirectory(),
        c.slabBytes(),
        c.segmentBytes(),
        c.maxChunks(),
        0.4,
        seed % 2 == 0 ? "lru" : "s3fifo",
        seed % 3 == 0 ? 0.9 : 1.0,
        0.7,
        1 + (int) (seed % 2),
        Duration.ofSeconds(5),
        true);
  }

  private Party newParty() {
    long pid = pidSequence++;
    return new Party(fixture.owner(pid), pid);
  }

  private void step() {
    Party party = parties.get(random.nextInt(parties.size()));
    int dice = random.nextInt(100);
    if (dice < 35) {
      reserve(party);
    } else if (dice < 60) {
      commit(party);
    } else if (dice < 66) {
      abort(party);
    } else if (dice < 80) {
      pin(party);
    } else if (dice < 92) {
      unpin(party);
    } else if (dice < 94) {
      drop();
    } else if (dice < 95) {
      fixture.store().dropPins(party.owner);
      party.pins.clear();
    } else if (dice < 97) {
      replace(party);
    } else if (dice < 99) {
      fixture.clock.advance(random.nextLong(3_000_000_000L));
    } else if (random.nextInt(RESTART_ONE_IN / 100) == 0) {
      restart();
    }
  }

  private void reserve(Party party) {
    Store store = fixture.store();
    long number = random.nextInt(KEYS);
    int length = 1 + random.nextInt(random.nextInt(10) == 0 ? 800 * KIB : 60 * KIB);
    boolean busy =
        committing.containsKey(number)
            || parties.stream().anyMatch(p -> p.reserved.containsValue(number));
    boolean present = visible.containsKey(key(number));
    boolean pull = random.nextBoolean();
    int slot =
        pull
            ? store.reserveForPull(party.owner, key(number), number, 1, 0, length)
            : store.reserve(party.owner, key(number), number, 1, 0, length);
    if (slot >= 0) {
      assertFalse(busy || present);
      party.reserved.put(slot, number);
      StoreFixture.fill(store.memory(slot), number);
    } else {
      switch (slot) {
        case StoreCodes.ALREADY -> assertTrue(present);
        case StoreCodes.BUSY -> assertTrue(busy);
        case StoreCodes.TOO_LARGE -> assertTrue(length > 500 * KIB);
        default -> assertTrue(slot == StoreCodes.NO_SPACE || slot == StoreCodes.OVER_SHARE);
      }
    }
  }

  private void commit(Party party) {
    if (party.reserved.isEmpty()) {
      return;
    }
    Store store = fixture.store();
    Map.Entry<Integer, Long> one = party.reserved.entrySet().iterator().next();
    int slot = one.getKey();
    long number = one.getValue();
    party.reserved.remove(slot);
    committing.put(number, new Commit(party, slot));
    if (random.nextInt(4) == 0) {
      store.commitPulled(party.owner, slot, 1 + number, crcOf(slot), number);
      settle(); // it is answered already
    } else {
      store.commit(party.owner, slot, number);
    }
  }

  private int crcOf(int slot) {
    CRC32C crc = new CRC32C();
    crc.update(fixture.store().memory(slot).asByteBuffer());
    return (int) crc.getValue();
  }

  private void abort(Party party) {
    if (!party.reserved.isEmpty()) {
      int slot = party.reserved.keySet().iterator().next();
      party.reserved.remove(slot);
      fixture.store().abort(party.owner, slot);
    }
  }

  private void pin(Party party) {
    Store store = fixture.store();
    int slot = store.find(key(random.nextInt(KEYS)));
    if (slot < 0) {
      return;
    }
    int code = store.pin(party.owner, slot, 1_000_000L + slot);
    if (code == StoreCodes.VERIFYING) {
      assertEquals(1, fixture.await("verified", 1_000_000L + slot).value());
    }
    if (code != StoreCodes.OVER_SHARE) {
      party.pins.addInt(slot);
    }
  }

  private void unpin(Party party) {
    if (!party.pins.isEmpty()) {
      fixture.store().unpin(party.owner, party.pins.removeAt(random.nextInt(party.pins.size())));
    }
  }

  private void drop() {
    long number = random.nextInt(KEYS);
    int slot = fixture.store().find(key(number));
    boolean pinned = parties.stream().anyMatch(p -> p.pins.containsInt(slot));
    assertEquals(slot >= 0 && !pinned, fixture.store().drop(key(number)));
  }

  /** An engine goes away and another one comes. */
  private void replace(Party party) {
    Store store = fixture.store();
    store.closeOwner(party.owner);
    for (int slot : party.reserved.keySet()) {
      if (store.isReservedBy(party.owner, slot)) {
        store.abort(party.owner, slot);
      }
    }
    parties.set(parties.indexOf(party), newParty());
  }

  private void restart() {
    while (!committing.isEmpty()) {
      settle();
    }
    fixture.host.alive.clear();
    for (Party party : parties) {
      if (random.nextBoolean()) {
        fixture.host.alive.add(party.pid);
      }
    }
    fixture.reopen();
    for (int i = 0; i < parties.size(); i++) {
      parties.set(i, newParty());
    }
  }

  /** Lets the store answer and moves the answers into the model. */
  private void settle() {
    fixture.store().doWork();
    for (StoreFixture.Answer answer : fixture.answers) {
      Commit commit = Objects.requireNonNull(committing.remove(answer.cookie()));
      assertEquals(answer.slot(), commit.slot());
      assertEquals("committed", answer.what());
    }
    fixture.answers.clear();
    for (StoreFixture.Change change : fixture.changes) {
      if (change.added()) {
        assertNull(visible.put(change.key(), change.version()));
      } else {
        assertEquals(change.version(), visible.remove(change.key()));
      }
    }
    fixture.changes.clear();
  }

  private void checkModel() {
    Store store = fixture.store();
    assertEquals(visible.size(), store.stats().committedChunks());
    for (int i = 0; i < 3; i++) {
      long number = random.nextInt(KEYS);
      int slot = store.find(key(number));
      assertEquals(visible.containsKey(key(number)), slot >= 0);
      if (slot >= 0) {
        assertEquals(visible.get(key(number)), store.version(slot));
        assertTrue(StoreFixture.isFilled(store.memory(slot), number));
      }
    }
    for (Party party : parties) {
      party.pins.forEachInt(
          slot -> assertEquals(SlotState.COMMITTED, store.state(slot), "pinned slots stay"));
    }
  }
}
