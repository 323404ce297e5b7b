package io.kvasir.node.index;

/**
 * Counters since the start of the process.
 *
 * @param indexed announcements and withdrawals that reached the index
 * @param batches calls they took
 * @param retries calls that failed and were repeated
 * @param dropped changes given up or refused because the queue was full
 * @param queued changes waiting now
 * @param lookups answered, whatever the answer
 * @param lookupsLate answered "unknown" because the deadline came
 * @param lookupsRefused answered "unknown" because too many were under way
 * @param lookupsFailed answered "unknown" because the index could not answer
 * @param questionsAnswered questions of other members about this member's part
 * @param questionsDropped those not answered because too many waited
 * @param rejoins lives of the embedded Ignite after the first
 */
public record IndexStats(
    long indexed,
    long batches,
    long retries,
    long dropped,
    int queued,
    long lookups,
    long lookupsLate,
    long lookupsRefused,
    long lookupsFailed,
    long questionsAnswered,
    long questionsDropped,
    long rejoins) {}
