package io.kvasir.placement;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * Strict UTF-8: {@link String#getBytes} turns every unpaired surrogate into a question mark, which
 * would give two different texts one hash.
 */
final class Utf8 {
  private Utf8() {}

  /**
   * @throws CharacterCodingException if the text holds an unpaired surrogate
   */
  static byte[] encode(String text) throws CharacterCodingException {
    ByteBuffer encoded = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
    byte[] bytes = new byte[encoded.remaining()];
    encoded.get(bytes);
    return bytes;
  }
}
