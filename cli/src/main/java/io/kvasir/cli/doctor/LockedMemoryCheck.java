package io.kvasir.cli.doctor;

import io.kvasir.cli.text.Sizes;
import java.io.IOException;

/** Tells the limit of locked memory; nothing over UDP and shared memory depends on it. */
record LockedMemoryCheck(HostFiles files) implements Check {
  @Override
  public String name() {
    return "locked-memory";
  }

  @Override
  public Finding run() throws IOException {
    long limit = files.softLimit("Max locked memory");
    return new Finding.Ok(
        (limit == Long.MAX_VALUE ? "unlimited" : "up to " + Sizes.text(limit)) + "; not needed");
  }
}
