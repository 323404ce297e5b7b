package io.kvasir.node.engine;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.kvasir.connectors.protocol.ErrorCode;
import org.jspecify.annotations.Nullable;

/** Reads the JSON bodies of requests, field by field, and names the field that is wrong. */
final class RequestJson {
  static final ObjectMapper MAPPER =
      JsonMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .build();

  private RequestJson() {}

  static JsonNode object(final String text) {
    try {
      final JsonNode json = MAPPER.readTree(text);
      if (json != null && json.isObject()) {
        return json;
      }
      throw new RefusedException(ErrorCode.INVALID_ARGUMENT, "the body is not a JSON object");
    } catch (final JsonProcessingException e) {
      throw new RefusedException(
          ErrorCode.INVALID_ARGUMENT, "the body is not JSON: " + e.getOriginalMessage());
    }
  }

  static String text(final JsonNode json, final String field, final int charsMax) {
    final String text = optionalText(json, field);
    if (text == null || text.isEmpty() || text.length() > charsMax) {
      throw refused(field, "must be a text of 1 to " + charsMax + " characters");
    }
    return text;
  }

  static @Nullable String optionalText(final JsonNode json, final String field) {
    final JsonNode value = json.get(field);
    if (value == null || value.isNull()) {
      return null;
    }
    if (!value.isTextual()) {
      throw refused(field, "must be a text");
    }
    return value.textValue();
  }

  static int number(final JsonNode json, final String field, final int min, final int max) {
    return (int) longNumber(json, field, min, max);
  }

  static long longNumber(final JsonNode json, final String field, final long min, final long max) {
    final JsonNode value = json.get(field);
    if (value == null
        || !value.isIntegralNumber()
        || !value.canConvertToLong()
        || value.longValue() < min
        || value.longValue() > max) {
      throw refused(field, "must be a whole number from " + min + " to " + max);
    }
    return value.longValue();
  }

  static RefusedException refused(final String field, final String rule) {
    return new RefusedException(ErrorCode.INVALID_ARGUMENT, field + " " + rule);
  }
}
