package io.kvasir.node.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.placement.ChunkKey;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Kills a process in the middle of stores and evictions and opens what it left: nothing hangs, no
 * acknowledged chunk that was not evicted is missing or wrong, nothing half-written is visible.
 */
@Timeout(1800)
class StoreCrashTest {
  private static final int ROUNDS = Boolean.getBoolean("kvasir.full") ? 50 : 5;
  private static final long OPEN_DEADLINE_SECONDS = 120;
  private static final int LOAD_MILLIS_MAX = 1200;

  @Test
  void shouldKeepEveryAcknowledgedChunkWhenKilled() throws Exception {
    long seed = System.nanoTime();
    System.out.println("store crash seed=" + seed);
    SplittableRandom random = new SplittableRandom(seed);
    try (StoreFixture fixture = new StoreFixture(seed)) {
      fixture.config = StoreCrashChild.configOfReader(fixture.folder);
      fixture.host.bootId = HostIdentity.local().bootId();
      Path log = fixture.folder.resolve("commits.log");
      int checked = 0;
      int unlogged = 0;
      for (int round = 0; round < ROUNDS; round++) {
        fixture.stop();
        runAndKill(fixture, log, seed + round, random);
        if (round + 1 < ROUNDS && random.nextInt(4) == 0) {
          continue; // the next child opens it
        }
        Map<ChunkKey, Long> expected = replay(log);
        Store store = fixture.store();
        store.assertValid();
        unlogged += check(fixture, expected, "seed=" + seed + " round=" + round);
        checked += expected.size();
      }
      System.out.println(
          "store crash kills=" + ROUNDS + " checkedChunks=" + checked + " unlogged=" + unlogged);
      assertTrue(checked > 0, "some chunks were acknowledged");
    }
  }

  /** Starts the child and kills it at a random moment of its load, now and then while it opens. */
  private static void runAndKill(StoreFixture fixture, Path log, long seed, SplittableRandom random)
      throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    command.addAll(
        List.of("-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path")));
    command.add(StoreCrashChild.class.getName());
    command.addAll(List.of(fixture.folder.toString(), log.toString(), Long.toString(seed)));
    Path errors = fixture.folder.resolve("child.err");
    Process child = new ProcessBuilder(command).redirectError(errors.toFile()).start();
    // A child that hangs while opening ends here, and the line it owes never comes.
    CompletableFuture<Void> watchdog =
        CompletableFuture.runAsync(
            child::destroyForcibly,
            CompletableFuture.delayedExecutor(OPEN_DEADLINE_SECONDS, TimeUnit.SECONDS));
    try (BufferedReader out = child.inputReader()) {
      if (random.nextInt(6) > 0) {
        String line = out.readLine();
        while (line != null && !line.equals("OPEN")) {
          line = out.readLine();
        }
        assertNotNull(line, () -> "the child could not open the store: " + read(errors));
      }
      // Not a wait for anything: the moment of the kill is what is random.
      boolean ended = child.waitFor(random.nextInt(LOAD_MILLIS_MAX), TimeUnit.MILLISECONDS);
      assertTrue(!ended, () -> "the child ended by itself: " + read(errors));
    } finally {
      watchdog.cancel(false);
      child.destroyForcibly();
      assertTrue(child.waitFor(OPEN_DEADLINE_SECONDS, TimeUnit.SECONDS), "killed");
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      return e.toString();
    }
  }

  /** What the log says must be there: last version by key. */
  private static Map<ChunkKey, Long> replay(Path log) throws IOException {
    Map<ChunkKey, Long> expected = new HashMap<>();
    Map<String, ChunkKey> names = new HashMap<>();
    for (long number = 0; number < StoreCrashChild.KEYS; number++) {
      names.put(StoreFixture.key(number).toString(), StoreFixture.key(number));
    }
    for (String line : Files.exists(log) ? Files.readAllLines(log) : List.<String>of()) {
      String[] words = line.split(" ", -1);
      if (words.length != 4 || !words[3].equals(".")) {
        continue; // cut short by the kill: the commit was not acknowledged
      }
      ChunkKey key = names.get(words[1]);
      if (words[0].equals("C")) {
        expected.put(key, Long.parseLong(words[2]));
      } else {
        expected.remove(key, Long.parseLong(words[2]));
      }
    }
    return expected;
  }

  /** Reads every chunk; answers how many are there that the log does not have. */
  private static int check(StoreFixture fixture, Map<ChunkKey, Long> expected, String where) {
    Store store = fixture.store();
    Owner owner = fixture.owner(1);
    int visible = 0;
    for (long number = 0; number < StoreCrashChild.KEYS; number++) {
      ChunkKey key = StoreFixture.key(number);
      int slot = store.find(key);
      Long version = expected.get(key);
      String what = where + " number=" + number;
      if (slot < 0) {
        assertEquals(null, version, what + " lost");
        continue;
      }
      visible++;
      if (version != null) {
        assertEquals(version, store.version(slot), what);
      }
      assertEquals(StoreCodes.VERIFYING, store.pin(owner, slot, number), what);
      assertEquals(1, fixture.await("verified", number).value(), what + " half-written");
      assertTrue(StoreFixture.isFilled(store.memory(slot), number), what);
      store.unpin(owner, slot);
    }
    store.closeOwner(owner);
    assertEquals(0, store.stats().damagedRecords(), where);
    assertEquals(0, store.stats().quarantinedSlots(), where);
    return visible - expected.size();
  }
}
