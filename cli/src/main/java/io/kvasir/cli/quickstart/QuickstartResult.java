package io.kvasir.cli.quickstart;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;

/**
 * What the quickstart measured, with the names of its JSON contract.
 *
 * @param requests measured prompts; each ran with and without the cache
 * @param promptTokens tokens of all prompts
 * @param reusableShare share of the tokens that an ideal cache could have found, 0 to 1
 * @param tokens where the tokens came from in the runs with the cache
 * @param ttftPrompts prompts that {@code ttftMs} covers: at least {@value #LONG_PROMPT_TOKENS}
 *     tokens, at least {@value #MOSTLY_FOUND} of them found
 * @param ttftMs time to first token of these, in milliseconds
 * @param loadMs the part of the cached TTFT of these that was spent with the cache
 * @param buckets all prompts by the share that was found
 * @param logitsCompared single logits, compared bit for bit
 * @param logitsEqual of these, the equal ones
 * @param bytesMoved bytes of KV that crossed from node to node
 * @param seconds from the first process start to this result
 */
public record QuickstartResult(
    int requests,
    long promptTokens,
    double reusableShare,
    Tokens tokens,
    int ttftPrompts,
    Ttft ttftMs,
    Percentiles loadMs,
    List<Bucket> buckets,
    long logitsCompared,
    long logitsEqual,
    long bytesMoved,
    double seconds) {

  static final int LONG_PROMPT_TOKENS = 1_000;
  static final double MOSTLY_FOUND = 0.8;
  private static final double[] BUCKET_EDGES = {0, 0.2, 0.4, 0.6, 0.8, 0.9, 1};

  /** Tokens by source. */
  public record Tokens(long local, long peer, long computed) {}

  /** Both sides of the comparison. */
  public record Ttft(Percentiles cached, Percentiles uncached) {}

  /** Nearest-rank percentiles; 0 when there is no value. */
  public record Percentiles(double p50, double p95) {
    static Percentiles of(double[] values) {
      final double[] sorted = values.clone();
      Arrays.sort(sorted);
      return new Percentiles(rank(sorted, 0.50), rank(sorted, 0.95));
    }

    private static double rank(double[] sorted, double share) {
      if (sorted.length == 0) {
        return 0;
      }
      return sorted[Math.max(0, (int) Math.ceil(share * sorted.length) - 1)];
    }
  }

  /** The prompts of which at least {@code from} and less than {@code to} was found. */
  public record Bucket(double from, double to, int prompts, Ttft ttftMs) {}

  public QuickstartResult {
    buckets = List.copyOf(buckets);
  }

  static QuickstartResult of(List<Measurement> all, double reusableShare, double seconds) {
    final List<Measurement> covered = all.stream().filter(QuickstartResult::isCovered).toList();
    final List<Bucket> buckets = new ArrayList<>();
    for (int i = 0; i + 1 < BUCKET_EDGES.length; i++) {
      final double from = BUCKET_EDGES[i];
      final double to = BUCKET_EDGES[i + 1];
      final List<Measurement> inside =
          all.stream().filter(m -> m.foundShare() >= from && m.foundShare() < to).toList();
      buckets.add(new Bucket(from, to, inside.size(), ttft(inside)));
    }
    return new QuickstartResult(
        all.size(),
        sum(all, Measurement::promptTokens),
        reusableShare,
        new Tokens(
            sum(all, Measurement::localTokens),
            sum(all, Measurement::peerTokens),
            sum(all, Measurement::computedTokens)),
        covered.size(),
        ttft(covered),
        percentiles(covered, Measurement::loadMs),
        buckets,
        sum(all, Measurement::logitsCompared),
        sum(all, Measurement::logitsEqual),
        sum(all, Measurement::peerBytes),
        seconds);
  }

  /** Every logit equal, and something came from a peer: what the quickstart is there to show. */
  @JsonIgnore
  public boolean isSuccess() {
    return logitsCompared > 0 && logitsEqual == logitsCompared && tokens.peer() > 0;
  }

  /** How many times lower the median TTFT is with the cache; 0 when nothing was covered. */
  @JsonProperty
  public double ttftRatio() {
    return ttftPrompts == 0 ? 0 : ttftMs.uncached().p50() / ttftMs.cached().p50();
  }

  private static boolean isCovered(Measurement m) {
    return m.promptTokens() >= LONG_PROMPT_TOKENS && m.foundShare() >= MOSTLY_FOUND;
  }

  private static Ttft ttft(List<Measurement> some) {
    return new Ttft(
        percentiles(some, Measurement::cachedTtftMs),
        percentiles(some, Measurement::uncachedTtftMs));
  }

  private static Percentiles percentiles(
      List<Measurement> some, ToDoubleFunction<Measurement> value) {
    return Percentiles.of(some.stream().mapToDouble(value).toArray());
  }

  private static long sum(List<Measurement> all, ToLongFunction<Measurement> value) {
    return all.stream().mapToLong(value).sum();
  }
}
