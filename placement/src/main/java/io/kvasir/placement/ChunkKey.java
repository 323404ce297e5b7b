package io.kvasir.placement;

/**
 * The cluster-wide name of a chunk: {@code SHA-256(namespace fingerprint ‖ content hash)}, 32 bytes
 * held as four big-endian words, {@code w0} first. Only nodes derive keys; engines send content
 * hashes, so no engine can name a chunk of a namespace that it is not registered for.
 *
 * <p>Immutable and thread-safe.
 *
 * @param w0 bytes 0 to 7; of the first chunk of a group also the group's id
 * @param w1 bytes 8 to 15
 * @param w2 bytes 16 to 23
 * @param w3 bytes 24 to 31
 */
public record ChunkKey(long w0, long w1, long w2, long w3) {
  /** Length of a key, and of the content hash that it is made from. */
  public static final int BYTES = Sha256.HASH_BYTES;

  /**
   * Derives the key of the chunk whose content hash stands at {@code hashes[offset .. offset +
   * 32)}. Allocates the key only.
   *
   * @throws IndexOutOfBoundsException if the hash does not lie inside the array
   */
  public static ChunkKey derive(Fingerprint namespace, byte[] hashes, int offset) {
    Sha256 sha256 = Sha256.ofThisThread();
    byte[] scratch = sha256.scratch();
    namespace.toBytes(scratch, 0);
    System.arraycopy(hashes, offset, scratch, Fingerprint.BYTES, BYTES);
    sha256.hash(scratch, 0, Fingerprint.BYTES + BYTES, scratch, 0);
    return fromBytes(scratch, 0);
  }

  /**
   * Reads the key at {@code bytes[offset .. offset + 32)}.
   *
   * @throws IndexOutOfBoundsException if it does not lie inside the array
   */
  public static ChunkKey fromBytes(byte[] bytes, int offset) {
    return new ChunkKey(
        Words.get(bytes, offset),
        Words.get(bytes, offset + 8),
        Words.get(bytes, offset + 16),
        Words.get(bytes, offset + 24));
  }

  /**
   * Writes the key to {@code bytes[offset .. offset + 32)}.
   *
   * @throws IndexOutOfBoundsException if there is no room; nothing is written then
   */
  public void toBytes(byte[] bytes, int offset) {
    Words.put(bytes, offset, w0, w1, w2, w3);
  }

  /**
   * Any word of a SHA-256 value is a good hash; not the first, which whole groups share as an id.
   */
  @Override
  public int hashCode() {
    return (int) w3;
  }

  /** 64 lower-case hexadecimal digits. */
  @Override
  public String toString() {
    return Words.hex(w0, w1, w2, w3);
  }
}
