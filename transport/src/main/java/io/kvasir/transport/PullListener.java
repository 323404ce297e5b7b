package io.kvasir.transport;

/**
 * Learns how a pull ends, once per chunk. Called on the lane thread, which serves every peer: an
 * implementation may only hand the event to another thread. After the call for a chunk the lane
 * never touches that chunk's destination again.
 */
public interface PullListener {
  /**
   * All bytes of the chunk are in place, and their CRC-32C is the one that the holder named.
   *
   * @param chunk index in the request.
   * @param version version of the bytes.
   * @param crc32c CRC-32C of the whole chunk, as the holder committed it.
   */
  void received(int chunk, long version, int crc32c);

  /**
   * The chunk will not arrive.
   *
   * @param chunk index in the request.
   * @param reason why.
   * @param version version of the bytes that are in place, or the holder's version when that is the
   *     reason, or 0 when no holder named one.
   * @param bytesReached leading bytes in place (with {@code version}); a pull of the same version
   *     may go on there.
   */
  void failed(int chunk, PullFailure reason, long version, int bytesReached);
}
