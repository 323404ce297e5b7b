package io.kvasir.transport;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.random.RandomGenerator;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * What this node says of itself in a handshake.
 *
 * @param nodeId node id.
 * @param incarnation random number of this run.
 * @param clusterHash first 8 bytes of SHA-256 of the cluster's name.
 * @param protocolMin lowest protocol version that this node speaks.
 * @param protocolMax highest protocol version that this node speaks.
 */
record Identity(long nodeId, long incarnation, long clusterHash, int protocolMin, int protocolMax) {
  static final int PROTOCOL_VERSION = 1;

  static Identity of(TransportConfig config, RandomGenerator random) {
    return new Identity(
        config.nodeId(),
        random.nextLong(),
        clusterHash(config.clusterName()),
        PROTOCOL_VERSION,
        PROTOCOL_VERSION);
  }

  /** The highest version that both speak, or 0. */
  int commonProtocol(int peerMin, int peerMax) {
    int common = Math.min(protocolMax, peerMax);
    return common >= Math.max(protocolMin, peerMin) ? common : 0;
  }

  private static long clusterHash(String name) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(name.getBytes(StandardCharsets.UTF_8));
      return new UnsafeBuffer(digest).getLong(0, java.nio.ByteOrder.BIG_ENDIAN);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("SHA-256 is part of every JDK", e);
    }
  }
}
