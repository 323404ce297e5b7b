package io.kvasir.placement;

import java.security.DigestException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** One SHA-256 engine and one small buffer per thread, so that hashing a key allocates neither. */
final class Sha256 {
  static final int HASH_BYTES = 32;

  /** Enough for the two 32-byte values that make a chunk key. */
  private static final int SCRATCH_BYTES = 2 * HASH_BYTES;

  private static final ThreadLocal<Sha256> PER_THREAD = ThreadLocal.withInitial(Sha256::new);

  private final MessageDigest digest;
  private final byte[] scratch = new byte[SCRATCH_BYTES];

  private Sha256() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  static Sha256 ofThisThread() {
    return PER_THREAD.get();
  }

  /** The buffer of this thread; its content lasts until the next call that uses it. */
  byte[] scratch() {
    return scratch;
  }

  /** Hashes {@code lengthBytes} of {@code input}; the result may overwrite the input. */
  void hash(byte[] input, int offset, int lengthBytes, byte[] result, int resultOffset) {
    digest.update(input, offset, lengthBytes);
    try {
      digest.digest(result, resultOffset, HASH_BYTES);
    } catch (DigestException e) {
      throw new IllegalStateException("the result has room for 32 bytes", e);
    }
  }
}
