package io.kvasir.benchmarks;

import io.kvasir.placement.Groups;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;

/**
 * A run of made-up content hashes from the start of a prompt. Prefixes with the same root share
 * their first {@code sharedChunks} chunks, as the turns of one conversation do.
 */
final class BenchPrefix {
  private static final int HASH_BYTES = 32;

  private final int chunks;
  private final byte[] hashes;

  private BenchPrefix(int chunks, byte[] hashes) {
    this.chunks = chunks;
    this.hashes = hashes;
  }

  static BenchPrefix of(long root, long branch, int sharedChunks, int chunks) {
    byte[] hashes = new byte[chunks * HASH_BYTES];
    ByteBuffer name = ByteBuffer.allocate(3 * Long.BYTES);
    MessageDigest sha256 = sha256();
    for (int chunk = 0; chunk < chunks; chunk++) {
      name.clear().putLong(root).putLong(chunk < sharedChunks ? -1 : branch).putLong(chunk);
      System.arraycopy(sha256.digest(name.array()), 0, hashes, chunk * HASH_BYTES, HASH_BYTES);
    }
    return new BenchPrefix(chunks, hashes);
  }

  int chunks() {
    return chunks;
  }

  byte[] hashes() {
    return hashes;
  }

  byte[] hashes(int from, int count) {
    return Arrays.copyOfRange(hashes, from * HASH_BYTES, (from + count) * HASH_BYTES);
  }

  byte[] anchor(int position) {
    return hashes((int) Groups.anchorPosition(position, BenchEngine.CHUNK_TOKENS), 1);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
