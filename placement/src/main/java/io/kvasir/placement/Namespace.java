package io.kvasir.placement;

import java.io.ByteArrayOutputStream;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What two chunks must share to be exchangeable. Two engines reach each other's chunks exactly when
 * all fields are equal; an absent field differs from an empty one. Immutable and thread-safe.
 *
 * @param trustDomain the engines that may map the same slab segments; not blank
 * @param tenantSalt separates the tenants of one trust domain
 * @param model model id; not blank
 * @param revision model revision, so that new weights never meet old chunks
 * @param loraId LoRA adapter
 * @param loraVersion version of the adapter
 * @param kvDtype element type of keys and values, for example {@code bfloat16}; not blank
 * @param quantScale identity of the quantisation scales, where the type needs them
 * @param layers layers of this pipeline stage, at least 1
 * @param kvHeads KV heads over all tensor-parallel ranks, at least 1
 * @param headSize elements per head, at least 1
 * @param blockLayout order of the dimensions inside a chunk; not blank
 * @param ropeConfig identity of the rotary embedding's configuration
 * @param worldSize tensor-parallel ranks whose parts lie side by side in a chunk, at least 1
 * @param hashScheme names the hash and the chunk length in tokens, for example {@code
 *     kvasir-sha256/256}, {@code vllm-sha256_cbor/256} or {@code sglang/64}; not blank
 */
public record Namespace(
    String trustDomain,
    @Nullable String tenantSalt,
    String model,
    @Nullable String revision,
    @Nullable String loraId,
    @Nullable String loraVersion,
    String kvDtype,
    @Nullable String quantScale,
    int layers,
    int kvHeads,
    int headSize,
    String blockLayout,
    @Nullable String ropeConfig,
    int worldSize,
    String hashScheme) {

  /** Longest text field: identities are names, not documents. */
  public static final int FIELD_BYTES_MAX = 4096;

  private static final int ABSENT = 0xFFFF_FFFF;

  /**
   * Checks all fields.
   *
   * @throws IllegalArgumentException naming every field that is blank, too long, not Unicode or
   *     below 1
   */
  public Namespace {
    List<String> problems = new ArrayList<>();
    requireText(problems, "trustDomain", trustDomain);
    checkText(problems, "tenantSalt", tenantSalt);
    requireText(problems, "model", model);
    checkText(problems, "revision", revision);
    checkText(problems, "loraId", loraId);
    checkText(problems, "loraVersion", loraVersion);
    requireText(problems, "kvDtype", kvDtype);
    checkText(problems, "quantScale", quantScale);
    requirePositive(problems, "layers", layers);
    requirePositive(problems, "kvHeads", kvHeads);
    requirePositive(problems, "headSize", headSize);
    requireText(problems, "blockLayout", blockLayout);
    checkText(problems, "ropeConfig", ropeConfig);
    requirePositive(problems, "worldSize", worldSize);
    requireText(problems, "hashScheme", hashScheme);
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(
          "KVA-0802 namespace refused - "
              + String.join(", ", problems)
              + " (limit="
              + FIELD_BYTES_MAX
              + " bytes); correct the fields named");
    }
  }

  /**
   * The canonical fingerprint: SHA-256 over all fields in the order of this record, each as its
   * length (u32 little-endian) and its UTF-8 bytes, numbers as decimal text, an absent field as the
   * length 0xFFFFFFFF alone. The lengths make the input unambiguous.
   */
  public Fingerprint fingerprint() {
    ByteArrayOutputStream input = new ByteArrayOutputStream(256);
    append(input, trustDomain);
    append(input, tenantSalt);
    append(input, model);
    append(input, revision);
    append(input, loraId);
    append(input, loraVersion);
    append(input, kvDtype);
    append(input, quantScale);
    append(input, Integer.toString(layers));
    append(input, Integer.toString(kvHeads));
    append(input, Integer.toString(headSize));
    append(input, blockLayout);
    append(input, ropeConfig);
    append(input, Integer.toString(worldSize));
    append(input, hashScheme);
    byte[] bytes = input.toByteArray();
    byte[] hash = new byte[Fingerprint.BYTES];
    Sha256.ofThisThread().hash(bytes, 0, bytes.length, hash, 0);
    return Fingerprint.fromBytes(hash, 0);
  }

  private static void append(ByteArrayOutputStream input, @Nullable String field) {
    if (field == null) {
      appendU32(input, ABSENT);
      return;
    }
    try {
      byte[] utf8 = Utf8.encode(field);
      appendU32(input, utf8.length);
      input.writeBytes(utf8);
    } catch (CharacterCodingException e) {
      throw new IllegalStateException("the constructor lets only Unicode text in", e);
    }
  }

  private static void appendU32(ByteArrayOutputStream input, int value) {
    input.write(value);
    input.write(value >>> 8);
    input.write(value >>> 16);
    input.write(value >>> 24);
  }

  private static void requireText(List<String> problems, String name, @Nullable String value) {
    if (value == null || value.isBlank()) {
      problems.add(name + "=" + value + " must not be blank");
      return;
    }
    checkText(problems, name, value);
  }

  private static void checkText(List<String> problems, String name, @Nullable String value) {
    if (value == null) {
      return;
    }
    try {
      if (Utf8.encode(value).length > FIELD_BYTES_MAX) {
        problems.add(name + " is too long");
      }
    } catch (CharacterCodingException e) {
      problems.add(name + " holds an unpaired surrogate");
    }
  }

  private static void requirePositive(List<String> problems, String name, int value) {
    if (value < 1) {
      problems.add(name + "=" + value + " must be at least 1");
    }
  }
}
