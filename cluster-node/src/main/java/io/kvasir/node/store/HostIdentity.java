package io.kvasir.node.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;

/** What the store asks the host: which boot this is, and whether a process still runs. */
interface HostIdentity {
  /** Changes with every boot: shared memory of another boot is gone, files may be half written. */
  UUID bootId();

  /**
   * Whether the process still runs. Errs towards {@code true}: a slot kept too long costs room, one
   * reused too early costs bytes.
   *
   * @param startTimeMillis when it started, 0 if unknown
   */
  boolean isAlive(long pid, long startTimeMillis);

  /** The host this process runs on. */
  static HostIdentity local() {
    return new HostIdentity() {
      private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");
      // Start times are derived from the wall clock of the boot, which time daemons may correct.
      private static final long START_TOLERANCE_MILLIS = 2_000;

      @Override
      public UUID bootId() {
        try {
          return UUID.fromString(Files.readString(BOOT_ID).strip());
        } catch (IOException | IllegalArgumentException e) {
          throw new StoreException(
              "KVA-0203 boot id cannot be read - file="
                  + BOOT_ID
                  + "; the store needs Linux with /proc mounted",
              e);
        }
      }

      @Override
      public boolean isAlive(long pid, long startTimeMillis) {
        Optional<ProcessHandle> process = ProcessHandle.of(pid);
        if (process.isEmpty() || !process.get().isAlive()) {
          return false;
        }
        Optional<Instant> start = process.get().info().startInstant();
        return startTimeMillis == 0
            || start.isEmpty()
            || Math.abs(start.get().toEpochMilli() - startTimeMillis) <= START_TOLERANCE_MILLIS;
      }
    };
  }
}
