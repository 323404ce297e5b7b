package io.kvasir.cli.doctor;

import java.io.IOException;

/**
 * Whether a node may open enough files and sockets.
 *
 * @param segments slab files
 */
record OpenFilesCheck(HostFiles files, int segments) implements Check {
  /** Jars, Ignite's and Aeron's files, 64 engine sockets and a small cluster. */
  private static final int FILES_MIN = 512;

  /** With room for hundreds of peers. */
  private static final int FILES_COMFORTABLE = 4096;

  @Override
  public String name() {
    return "open-files";
  }

  @Override
  public Finding run() throws IOException {
    // The JVM raises its soft limit to the hard one when it starts, here as in a node.
    long limit = files.softLimit("Max open files");
    String mend = "raise it: ulimit -n 65536, or LimitNOFILE=65536 in the systemd unit";
    if (limit < FILES_MIN + segments) {
      return new Finding.Fail(
          "KVA-0710 too few open files - ulimit="
              + limit
              + " (limit="
              + (FILES_MIN + segments)
              + ")",
          mend);
    }
    if (limit < FILES_COMFORTABLE + segments) {
      return new Finding.Warn(
          "KVA-0710 few open files - ulimit="
              + limit
              + " (limit="
              + (FILES_COMFORTABLE + segments)
              + ")",
          mend);
    }
    return new Finding.Ok(limit == Long.MAX_VALUE ? "unlimited" : "up to " + limit);
  }
}
