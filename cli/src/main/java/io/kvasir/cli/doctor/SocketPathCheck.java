package io.kvasir.cli.doctor;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Whether the kernel takes the path of the engine socket.
 *
 * @param socket {@code engine.sock} in the run directory
 */
record SocketPathCheck(Path socket) implements Check {
  private static final int PATH_BYTES_MAX = 107;

  @Override
  public String name() {
    return "engine-socket";
  }

  @Override
  public Finding run() {
    int bytes = socket.toString().getBytes(StandardCharsets.UTF_8).length;
    if (bytes > PATH_BYTES_MAX) {
      return new Finding.Fail(
          "KVA-0707 the path is too long - socket=" + socket + " bytes=" + bytes + " (limit=107)",
          "choose a shorter node.run-dir, for example /run/kvasir");
    }
    return new Finding.Ok("path of " + bytes + " bytes (limit 107)");
  }
}
