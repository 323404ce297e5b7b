package io.kvasir.cli.quickstart;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/**
 * What {@code quickstart --throttle} measured, with the names of its JSON contract.
 *
 * @param requests measured prompts; each ran with and without the cache
 * @param rates of the engine and the link
 * @param chunks what lookups found, and what of it was worth loading
 * @param pullMs what pulling one prompt would take over this link
 * @param ttftMs time to first token of all prompts, in milliseconds
 * @param logitsCompared single logits, compared bit for bit
 * @param logitsEqual of these, the equal ones
 * @param seconds from the first process start to this result
 */
public record SlowLinkResult(
    int requests,
    Rates rates,
    Chunks chunks,
    double pullMs,
    QuickstartResult.Ttft ttftMs,
    long logitsCompared,
    long logitsEqual,
    double seconds) {
  /** The cache may cost so much where it cannot win. */
  static final double SLOWER_MAX = 0.05;

  /**
   * How fast the engine computes, what a link would have to carry to be as fast, and what it
   * carries.
   */
  public record Rates(
      long prefillTokensPerSecond, long breakEvenBytesPerSecond, long linkBytesPerSecond) {}

  /** Leading chunks. */
  public record Chunks(long found, long worth) {}

  static SlowLinkResult of(
      List<Measurement> all, Rates rates, Chunks chunks, double pullMs, double seconds) {
    return new SlowLinkResult(
        all.size(),
        rates,
        chunks,
        pullMs,
        new QuickstartResult.Ttft(
            percentiles(all, Measurement::cachedTtftMs),
            percentiles(all, Measurement::uncachedTtftMs)),
        all.stream().mapToLong(Measurement::logitsCompared).sum(),
        all.stream().mapToLong(Measurement::logitsEqual).sum(),
        seconds);
  }

  /** Median TTFT without the cache over the one with it: below 1, the cache costs something. */
  @JsonProperty
  public double ttftRatioThrottled() {
    return ttftMs.uncached().p50() / ttftMs.cached().p50();
  }

  /** Chunks were found, no logit differs, and the cache cost no more than it may. */
  @JsonIgnore
  public boolean isSuccess() {
    return chunks.found() > 0
        && logitsCompared > 0
        && logitsEqual == logitsCompared
        && ttftMs.cached().p50() <= (1 + SLOWER_MAX) * ttftMs.uncached().p50();
  }

  /** The table. */
  public void print(PrintStream out) {
    out.printf(
        Locale.ROOT,
        "%d requests; the engine computes %,d tokens in a second, so a link must carry %,d bytes in"
            + " a second; this one carries %,d%n%n",
        requests,
        rates.prefillTokensPerSecond(),
        rates.breakEvenBytesPerSecond(),
        rates.linkBytesPerSecond());
    out.printf(Locale.ROOT, "  %-34s %12s %8s%n", "time to first token", "p50 ms", "p95 ms");
    line(out, "without the cache", ttftMs.uncached());
    line(out, "with the cache", ttftMs.cached());
    out.printf(Locale.ROOT, "  %-34s %12.1f%n", "pulling alone would take", pullMs);
    out.printf(
        Locale.ROOT,
        "%n  chunks: %,d found at the other node, %,d of them worth loading%n",
        chunks.found(),
        chunks.worth());
    out.printf(
        Locale.ROOT,
        "  without ÷ with the cache %.3f, %,d of %,d logits equal, %.1f s%n",
        ttftRatioThrottled(),
        logitsEqual,
        logitsCompared,
        seconds);
  }

  private static void line(PrintStream out, String name, QuickstartResult.Percentiles values) {
    out.printf(Locale.ROOT, "  %-34s %12.1f %8.1f%n", name, values.p50(), values.p95());
  }

  private static QuickstartResult.Percentiles percentiles(
      List<Measurement> all, ToDoubleFunction<Measurement> value) {
    return QuickstartResult.Percentiles.of(all.stream().mapToDouble(value).toArray());
  }
}
