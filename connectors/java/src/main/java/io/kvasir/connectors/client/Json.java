package io.kvasir.connectors.client;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.kvasir.connectors.protocol.ErrorCode;
import io.kvasir.connectors.protocol.Frame;
import io.kvasir.connectors.protocol.JsonBody;
import io.kvasir.connectors.protocol.MalformedFrameException;
import io.kvasir.connectors.protocol.Protocol;
import io.kvasir.placement.Fingerprint;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The JSON bodies of HELLO and REGISTER and their answers. */
final class Json {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private Json() {}

  /** The body of HELLO. */
  static byte[] hello(EngineIdentity identity) {
    final ObjectNode body =
        MAPPER
            .createObjectNode()
            .put("protocolMin", Protocol.VERSION)
            .put("protocolMax", Protocol.VERSION)
            .put("engine", identity.engine())
            .put("engineVersion", identity.version())
            .put("pid", identity.pid())
            .put("startTimeMillis", identity.startTimeMillis())
            .put("instance", identity.instance().toString())
            .put("role", identity.role().wireName())
            .put("rank", identity.rank())
            .put("world", identity.world());
    return bytes(body);
  }

  /**
   * The segment files that HELLO_OK names.
   *
   * @throws MalformedFrameException if it is not what it should be
   */
  static List<Slab.SegmentFile> segments(Frame helloOk) {
    final JsonNode body = parse(helloOk);
    if (integer(helloOk, body, "protocol", Integer.MAX_VALUE) != Protocol.VERSION) {
      throw helloOk.refused(ErrorCode.VERSION_MISMATCH, "protocol=" + body.get("protocol"));
    }
    final JsonNode list = body.path("segments");
    if (!list.isArray() || list.isEmpty()) {
      throw helloOk.refused(ErrorCode.INVALID_ARGUMENT, "segments=none");
    }
    final List<Slab.SegmentFile> segments = new ArrayList<>();
    for (final JsonNode segment : list) {
      if (integer(helloOk, segment, "index", Integer.MAX_VALUE) != segments.size()) {
        throw helloOk.refused(ErrorCode.INVALID_ARGUMENT, "index=" + segment.get("index"));
      }
      segments.add(
          new Slab.SegmentFile(
              path(helloOk, segment), integer(helloOk, segment, "bytes", Long.MAX_VALUE)));
    }
    return segments;
  }

  /** The body of REGISTER. */
  static byte[] register(SpaceRequest request) {
    final ObjectNode body = MAPPER.createObjectNode();
    body.set("namespace", MAPPER.valueToTree(request.namespace()));
    body.put("chunkTokens", request.chunkTokens()).put("chunkBytes", request.chunkBytes());
    return bytes(body);
  }

  /**
   * The space that REGISTERED grants.
   *
   * @throws MalformedFrameException if it is not the one that was asked for
   */
  static Space space(KvasirClient owner, SpaceRequest request, Frame registered) {
    final JsonNode body = parse(registered);
    final Fingerprint fingerprint = request.namespace().fingerprint();
    if (!body.path("fingerprint").asText().equals(fingerprint.toString())) {
      throw registered.refused(
          ErrorCode.INVALID_ARGUMENT,
          "fingerprint=" + body.path("fingerprint") + " expected=" + fingerprint);
    }
    if (integer(registered, body, "chunkTokens", Integer.MAX_VALUE) != request.chunkTokens()
        || integer(registered, body, "chunkBytes", Integer.MAX_VALUE) != request.chunkBytes()) {
      throw registered.refused(ErrorCode.LAYOUT_MISMATCH, "chunkBytes=" + body.get("chunkBytes"));
    }
    return new Space(
        owner,
        (int) integer(registered, body, "space", Integer.MAX_VALUE),
        (int) integer(registered, body, "epoch", Integer.MAX_VALUE),
        fingerprint,
        request.chunkTokens(),
        request.chunkBytes());
  }

  private static JsonNode parse(Frame frame) {
    try {
      return MAPPER.readTree(JsonBody.text(frame));
    } catch (JsonProcessingException e) {
      throw frame.refused(ErrorCode.INVALID_ARGUMENT, "body is not JSON");
    }
  }

  private static long integer(Frame frame, JsonNode node, String field, long max) {
    final JsonNode value = node.path(field);
    if (!value.canConvertToLong() || !value.isIntegralNumber() || value.asLong() < 0) {
      throw frame.refused(ErrorCode.INVALID_ARGUMENT, field + "=" + value);
    }
    if (value.asLong() > max) {
      throw frame.refused(ErrorCode.INVALID_ARGUMENT, field + "=" + value + " (limit=" + max + ")");
    }
    return value.asLong();
  }

  private static Path path(Frame frame, JsonNode segment) {
    final JsonNode value = segment.path("path");
    try {
      final Path path = Path.of(value.asText());
      if (value.isTextual() && path.isAbsolute()) {
        return path;
      }
    } catch (InvalidPathException e) {
      // Reported below, as any other text that is no path.
    }
    throw frame.refused(ErrorCode.INVALID_ARGUMENT, "path=" + value);
  }

  private static byte[] bytes(ObjectNode body) {
    try {
      return MAPPER.writeValueAsBytes(body);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
