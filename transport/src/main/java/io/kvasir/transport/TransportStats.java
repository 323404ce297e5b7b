package io.kvasir.transport;

import io.kvasir.transport.Counters.Counter;

/**
 * A snapshot of a transport's counters since it started.
 *
 * @param bytesSent payload bytes of segments sent.
 * @param bytesReceived payload bytes of segments written into a destination.
 * @param segmentsSent segments sent.
 * @param segmentsReceived segments written into a destination.
 * @param segmentsIgnored segments of finished or cancelled pulls, of other sessions, or repeated.
 * @param pullsStarted pulls begun.
 * @param chunksReceived chunks that arrived whole.
 * @param chunksFailed chunks that failed, for any reason.
 * @param servesStarted pulls of peers begun.
 * @param chunksSent chunks sent whole.
 * @param chunksRefused chunks refused to peers.
 * @param sessionsOpened sessions that finished their handshake.
 * @param sessionsClosed sessions closed, opened or not.
 * @param sessionsOpen sessions open now.
 * @param strangersRefused publications refused before or in the handshake.
 * @param protocolErrors frames that broke the protocol.
 * @param aeronErrors errors reported by the Aeron driver or client.
 * @param framesDropped Aeron frames dropped because they do not fit this node.
 * @param notesDropped questions and answers dropped because a peer takes none.
 * @param driverStarts times the driver or client was started, 1 without trouble.
 * @param pullsInFlight pulls that have not ended.
 * @param servesInFlight pulls of peers that have not ended.
 * @param images publications of others that this node receives now.
 */
public record TransportStats(
    long bytesSent,
    long bytesReceived,
    long segmentsSent,
    long segmentsReceived,
    long segmentsIgnored,
    long pullsStarted,
    long chunksReceived,
    long chunksFailed,
    long servesStarted,
    long chunksSent,
    long chunksRefused,
    long sessionsOpened,
    long sessionsClosed,
    long sessionsOpen,
    long strangersRefused,
    long protocolErrors,
    long aeronErrors,
    long framesDropped,
    long notesDropped,
    long driverStarts,
    long pullsInFlight,
    long servesInFlight,
    long images) {
  static TransportStats of(Counters counters) {
    return new TransportStats(
        counters.get(Counter.BYTES_SENT),
        counters.get(Counter.BYTES_RECEIVED),
        counters.get(Counter.SEGMENTS_SENT),
        counters.get(Counter.SEGMENTS_RECEIVED),
        counters.get(Counter.SEGMENTS_IGNORED),
        counters.get(Counter.PULLS_STARTED),
        counters.get(Counter.CHUNKS_RECEIVED),
        counters.get(Counter.CHUNKS_FAILED),
        counters.get(Counter.SERVES_STARTED),
        counters.get(Counter.CHUNKS_SENT),
        counters.get(Counter.CHUNKS_REFUSED),
        counters.get(Counter.SESSIONS_OPENED),
        counters.get(Counter.SESSIONS_CLOSED),
        counters.get(Counter.SESSIONS_OPEN),
        counters.get(Counter.STRANGERS_REFUSED),
        counters.get(Counter.PROTOCOL_ERRORS),
        counters.get(Counter.AERON_ERRORS),
        counters.get(Counter.FRAMES_DROPPED),
        counters.get(Counter.NOTES_DROPPED),
        counters.get(Counter.DRIVER_STARTS),
        counters.get(Counter.PULLS_IN_FLIGHT),
        counters.get(Counter.SERVES_IN_FLIGHT),
        counters.get(Counter.IMAGES));
  }
}
