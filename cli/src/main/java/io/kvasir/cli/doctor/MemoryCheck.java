package io.kvasir.cli.doctor;

import io.kvasir.cli.text.Sizes;
import java.io.IOException;
import java.util.OptionalLong;

/**
 * Whether slab and index leave room in the machine's memory, or in what the control group grants: a
 * slab above it does not fail, it gets the node killed.
 *
 * @param neededBytes slab and index
 */
record MemoryCheck(HostFiles files, long neededBytes) implements Check {
  private static final int WARN_PERCENT = 75;
  private static final String CGROUP_V2 = "sys/fs/cgroup/memory.max";
  private static final String CGROUP_V1 = "sys/fs/cgroup/memory/memory.limit_in_bytes";

  @Override
  public String name() {
    return "memory";
  }

  @Override
  public Finding run() throws IOException {
    long machine = machineBytes();
    long granted = Math.min(groupBytes(), machine);
    String of =
        Sizes.text(granted) + (granted < machine ? " granted by the control group" : " of memory");
    String found = "slab and index take " + Sizes.text(neededBytes) + " of " + of;
    if (neededBytes >= granted) {
      return new Finding.Fail(
          "KVA-0705 memory is too small - " + found,
          "lower store.slab-bytes and index.memory-bytes, or raise the memory limit");
    }
    if (neededBytes > granted / 100 * WARN_PERCENT) {
      return new Finding.Warn(
          "KVA-0705 memory is tight - " + found,
          "lower store.slab-bytes: the JVM, the engine and its page cache live beside the slab");
    }
    return new Finding.Ok(found);
  }

  private long machineBytes() throws IOException {
    for (String line : files.text("proc/meminfo").lines().toList()) {
      if (line.matches("MemTotal:\\s+[0-9]{1,15} kB")) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
      }
    }
    throw new IOException("no MemTotal in " + files.root().resolve("proc/meminfo"));
  }

  private long groupBytes() throws IOException {
    OptionalLong version2 = files.number(CGROUP_V2);
    return version2.isPresent()
        ? version2.getAsLong()
        : files.number(CGROUP_V1).orElse(Long.MAX_VALUE);
  }
}
