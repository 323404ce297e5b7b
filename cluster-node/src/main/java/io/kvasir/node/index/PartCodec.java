package io.kvasir.node.index;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.ObjIntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * What members ask and answer about their parts of the index, little-endian.
 *
 * <pre>
 *   question:     n × 40 bytes index key ({@link IndexKey})
 *   answer part:  u16 first key answered; then for each key from there on: u16 length, {@link IndexEntry}
 *                 (length 0: not known here)
 * </pre>
 *
 * An answer has as many parts as its entries need, in the order of the keys.
 */
final class PartCodec {
  private static final int FIRST_BYTES = 2;
  private static final int LENGTH_BYTES = 2;
  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);

  private PartCodec() {}

  /** How many keys a question of this many bytes holds. */
  static int keysMax(final int bytesMax) {
    return bytesMax / IndexKey.BYTES;
  }

  static boolean isQuestion(final byte[] question) {
    return question.length % IndexKey.BYTES == 0 && keys(question) <= 1 << Short.SIZE;
  }

  static int keys(final byte[] question) {
    return question.length / IndexKey.BYTES;
  }

  static byte[] key(final byte[] question, final int i) {
    return Arrays.copyOfRange(question, i * IndexKey.BYTES, (i + 1) * IndexKey.BYTES);
  }

  /** Writes one part of an answer. */
  static final class PartWriter {
    private final byte[] part;
    private int at = FIRST_BYTES;

    PartWriter(final int first, final int bytesMax) {
      part = new byte[bytesMax];
      SHORT.set(part, 0, (short) first);
    }

    /** Adds the next key's entry; false if this part is full. */
    boolean add(final byte @Nullable [] entry) {
      final int length = entry == null ? 0 : entry.length;
      if (part.length - at < LENGTH_BYTES + length) {
        return false;
      }
      SHORT.set(part, at, (short) length);
      at += LENGTH_BYTES;
      if (entry != null) {
        System.arraycopy(entry, 0, part, at, length);
        at += length;
      }
      return true;
    }

    byte[] toBytes() {
      return Arrays.copyOf(part, at);
    }
  }

  /** First key of an answer part, or -1 if it is none. */
  static int first(final byte[] part) {
    return part.length < FIRST_BYTES ? -1 : (short) SHORT.get(part, 0) & 0xFFFF;
  }

  /**
   * Reads the entries of an answer part.
   *
   * @param onEntry takes each known entry and its key's number
   * @return the number behind the last key, or -1 if the part is damaged
   */
  static int read(final byte[] part, final ObjIntConsumer<byte[]> onEntry) {
    int key = first(part);
    int at = FIRST_BYTES;
    while (key >= 0 && at < part.length) {
      if (part.length - at < LENGTH_BYTES) {
        return -1;
      }
      final int length = (short) SHORT.get(part, at) & 0xFFFF;
      at += LENGTH_BYTES;
      if (part.length - at < length) {
        return -1;
      }
      if (length > 0) {
        onEntry.accept(Arrays.copyOfRange(part, at, at + length), key);
      }
      at += length;
      key++;
    }
    return key;
  }
}
