package io.kvasir.node;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.jspecify.annotations.Nullable;

/**
 * What a running node says of itself, in the READY line and in {@code node.json} of its run
 * directory.
 *
 * @param nodeId 16 hexadecimal digits
 * @param incarnation of the store, 16 hexadecimal digits; changes with every start
 * @param transportEndpoint where peers dial
 * @param startedAt ISO 8601
 */
public record NodeInfo(
    long pid,
    String name,
    String nodeId,
    String incarnation,
    String runDir,
    String engineSocket,
    int discoveryPort,
    int communicationPort,
    String transportEndpoint,
    String slabDir,
    String startedAt) {
  /** Name of the file in the run directory. */
  public static final String FILE_NAME = "node.json";

  /** Fields are added over time, never left out. */
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(
              DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES,
              DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES,
              DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .build();

  /** One line of JSON. */
  public String toJson() {
    try {
      return MAPPER.writeValueAsString(this);
    } catch (final JsonProcessingException e) {
      throw new IllegalStateException("a record of texts and numbers is always written", e);
    }
  }

  /**
   * Reads what {@link #toJson} wrote.
   *
   * @throws IOException if it is something else
   */
  public static NodeInfo fromJson(final String json) throws IOException {
    final @Nullable NodeInfo info = MAPPER.readValue(json, NodeInfo.class);
    if (info == null) {
      throw new IOException("no JSON object: " + json);
    }
    return info;
  }

  /** Reads the file of a node, which may be gone by now. */
  public static NodeInfo read(final Path runDirectory) throws IOException {
    return fromJson(Files.readString(runDirectory.resolve(FILE_NAME)));
  }

  /** Replaces the file at once, so that nobody reads half of it. */
  void write(final Path runDirectory) throws IOException {
    final Path temporary = runDirectory.resolve(FILE_NAME + ".new");
    Files.writeString(temporary, toJson() + "\n");
    Files.move(
        temporary,
        runDirectory.resolve(FILE_NAME),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
  }
}
