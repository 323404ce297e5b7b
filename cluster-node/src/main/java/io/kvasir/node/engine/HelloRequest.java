package io.kvasir.node.engine;

import com.fasterxml.jackson.databind.JsonNode;
import io.kvasir.connectors.protocol.ErrorCode;
import java.util.UUID;

/**
 * What an engine says of itself in HELLO.
 *
 * @param engine name of the engine
 * @param engineVersion its version
 * @param pid process id
 * @param startTimeMillis start of that process, as the operating system tells it
 * @param instance names this run of the engine on all its sockets
 * @param isScheduler does the socket belong to the scheduler, not to a worker?
 * @param rank of the worker
 * @param world number of ranks
 */
record HelloRequest(
    String engine,
    String engineVersion,
    long pid,
    long startTimeMillis,
    UUID instance,
    boolean isScheduler,
    int rank,
    int world) {
  private static final int PROTOCOL = 1;
  private static final int NAME_CHARS_MAX = 256;

  /**
   * Reads the JSON of a HELLO.
   *
   * @throws RefusedException VERSION_MISMATCH or INVALID_ARGUMENT
   */
  static HelloRequest parse(final String text) {
    final JsonNode json = RequestJson.object(text);
    final int protocolMin = RequestJson.number(json, "protocolMin", 1, Integer.MAX_VALUE);
    final int protocolMax = RequestJson.number(json, "protocolMax", 1, Integer.MAX_VALUE);
    if (protocolMin > PROTOCOL || protocolMax < PROTOCOL) {
      throw new RefusedException(
          ErrorCode.VERSION_MISMATCH,
          "protocolMin="
              + protocolMin
              + " protocolMax="
              + protocolMax
              + " (supported="
              + PROTOCOL
              + ")");
    }
    final String role = RequestJson.text(json, "role", NAME_CHARS_MAX);
    if (!role.equals("scheduler") && !role.equals("worker")) {
      throw RequestJson.refused("role", "must be scheduler or worker");
    }
    final int world = RequestJson.number(json, "world", 1, Integer.MAX_VALUE);
    return new HelloRequest(
        RequestJson.text(json, "engine", NAME_CHARS_MAX),
        RequestJson.text(json, "engineVersion", NAME_CHARS_MAX),
        RequestJson.longNumber(json, "pid", 1, Integer.MAX_VALUE),
        RequestJson.longNumber(json, "startTimeMillis", 0, Long.MAX_VALUE),
        instance(RequestJson.text(json, "instance", NAME_CHARS_MAX)),
        role.equals("scheduler"),
        RequestJson.number(json, "rank", 0, world - 1),
        world);
  }

  private static UUID instance(final String text) {
    try {
      return UUID.fromString(text);
    } catch (final IllegalArgumentException e) {
      throw RequestJson.refused("instance", "must be a UUID");
    }
  }
}
