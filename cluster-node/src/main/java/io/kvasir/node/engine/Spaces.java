package io.kvasir.node.engine;

import com.fasterxml.jackson.databind.JsonNode;
import io.kvasir.connectors.protocol.ErrorCode;
import io.kvasir.node.peer.Space;
import io.kvasir.node.store.Store;
import io.kvasir.node.store.StoreException;
import io.kvasir.placement.Fingerprint;
import io.kvasir.placement.Namespace;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The namespaces registered on this node. The first registration of a fingerprint fixes the chunk
 * size: engines that cut chunks differently must not meet. Node agent only.
 */
final class Spaces {
  static final int SPACES_MAX = 1024;
  private static final int CHUNK_TOKENS_MAX = 1 << 20;
  private static final int FIRST_EPOCH = 0;
  private static final Set<String> NAMESPACE_FIELDS =
      Set.of(
          "trustDomain",
          "tenantSalt",
          "model",
          "revision",
          "loraId",
          "loraVersion",
          "kvDtype",
          "quantScale",
          "layers",
          "kvHeads",
          "headSize",
          "blockLayout",
          "ropeConfig",
          "worldSize",
          "hashScheme");

  private final Store store;
  private final long chunkBytesMax;
  private final Map<Fingerprint, Space> byFingerprint = new HashMap<>();

  /**
   * @param chunkBytesMax no chunk may be larger
   */
  Spaces(final Store store, final long chunkBytesMax) {
    this.store = store;
    this.chunkBytesMax = chunkBytesMax;
  }

  /**
   * Registers the namespace of a REGISTER.
   *
   * @throws RefusedException INVALID_ARGUMENT, LAYOUT_MISMATCH, CHUNK_TOO_LARGE or TOO_MANY
   */
  Space register(final String text) {
    final JsonNode json = RequestJson.object(text);
    final JsonNode fields = json.get("namespace");
    if (fields == null || !fields.isObject()) {
      throw RequestJson.refused("namespace", "must be an object");
    }
    final Fingerprint fingerprint = namespace(fields).fingerprint();
    final int chunkTokens = RequestJson.number(json, "chunkTokens", 1, CHUNK_TOKENS_MAX);
    final int chunkBytes = RequestJson.number(json, "chunkBytes", 1, Integer.MAX_VALUE);
    final Space known = byFingerprint.get(fingerprint);
    if (known != null) {
      if (known.chunkTokens() != chunkTokens || known.chunkBytes() != chunkBytes) {
        throw new RefusedException(
            ErrorCode.LAYOUT_MISMATCH,
            "chunkTokens="
                + chunkTokens
                + " chunkBytes="
                + chunkBytes
                + " (registered: chunkTokens="
                + known.chunkTokens()
                + " chunkBytes="
                + known.chunkBytes()
                + ")");
      }
      return known;
    }
    if (chunkBytes > chunkBytesMax) {
      throw new RefusedException(
          ErrorCode.CHUNK_TOO_LARGE,
          "chunkBytes="
              + chunkBytes
              + " (limit="
              + chunkBytesMax
              + "); store.segment-bytes and store.owner-share bound a chunk");
    }
    final Space space =
        new Space(spaceId(fingerprint), fingerprint, chunkTokens, chunkBytes, FIRST_EPOCH);
    byFingerprint.put(fingerprint, space);
    return space;
  }

  int size() {
    return byFingerprint.size();
  }

  private int spaceId(final Fingerprint fingerprint) {
    if (byFingerprint.size() >= SPACES_MAX) {
      throw new RefusedException(ErrorCode.TOO_MANY, "spaces (limit=" + SPACES_MAX + ")");
    }
    try {
      return store.spaceId(fingerprint);
    } catch (final StoreException e) {
      throw new RefusedException(ErrorCode.TOO_MANY, String.valueOf(e.getMessage()));
    }
  }

  private static Namespace namespace(final JsonNode fields) {
    for (final Iterator<String> names = fields.fieldNames(); names.hasNext(); ) {
      final String name = names.next();
      // A field this node does not know may tell two models apart: it must not be dropped.
      if (!NAMESPACE_FIELDS.contains(name)) {
        throw RequestJson.refused("namespace." + name, "is not known");
      }
    }
    try {
      return new Namespace(
          required(fields, "trustDomain"),
          RequestJson.optionalText(fields, "tenantSalt"),
          required(fields, "model"),
          RequestJson.optionalText(fields, "revision"),
          RequestJson.optionalText(fields, "loraId"),
          RequestJson.optionalText(fields, "loraVersion"),
          required(fields, "kvDtype"),
          RequestJson.optionalText(fields, "quantScale"),
          RequestJson.number(fields, "layers", 1, Integer.MAX_VALUE),
          RequestJson.number(fields, "kvHeads", 1, Integer.MAX_VALUE),
          RequestJson.number(fields, "headSize", 1, Integer.MAX_VALUE),
          required(fields, "blockLayout"),
          RequestJson.optionalText(fields, "ropeConfig"),
          RequestJson.number(fields, "worldSize", 1, Integer.MAX_VALUE),
          required(fields, "hashScheme"));
    } catch (final IllegalArgumentException e) {
      throw new RefusedException(ErrorCode.INVALID_ARGUMENT, String.valueOf(e.getMessage()));
    }
  }

  private static String required(final JsonNode fields, final String name) {
    final @Nullable String text = RequestJson.optionalText(fields, name);
    if (text == null) {
      throw RequestJson.refused("namespace." + name, "is missing");
    }
    return text;
  }
}
