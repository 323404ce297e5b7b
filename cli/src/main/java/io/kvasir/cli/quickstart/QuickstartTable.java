package io.kvasir.cli.quickstart;

import java.io.PrintStream;
import java.util.Locale;

/** The result for people. */
public final class QuickstartTable {
  private static final double MEGA = 1e6;

  private QuickstartTable() {}

  /** Prints all tables. */
  public static void print(QuickstartResult result, PrintStream out) {
    out.printf(
        Locale.ROOT,
        "%d requests, %,d prompt tokens, %.0f %% of them reusable%n",
        result.requests(),
        result.promptTokens(),
        100 * result.reusableShare());
    out.println();
    out.printf(Locale.ROOT, "  %-34s %12s %8s%n", "prompt tokens", "tokens", "share");
    tokens(out, "reused from the local slab", result.tokens().local(), result);
    tokens(out, "reused from peers", result.tokens().peer(), result);
    tokens(out, "computed", result.tokens().computed(), result);
    out.println();
    out.printf(Locale.ROOT, "  %-34s %12s %8s%n", "time to first token", "p50 ms", "p95 ms");
    ttft(out, "without the cache", result.ttftMs().uncached());
    ttft(out, "with the cache", result.ttftMs().cached());
    ttft(out, "  of it lookup and load", result.loadMs());
    out.printf(
        Locale.ROOT,
        "  %-34s %11.1fx   (%d prompts, >= %d tokens, >= %.0f %% found)%n",
        "p50 lower by",
        result.ttftRatio(),
        result.ttftPrompts(),
        QuickstartResult.LONG_PROMPT_TOKENS,
        100 * QuickstartResult.MOSTLY_FOUND);
    out.println();
    out.printf(
        Locale.ROOT,
        "  %-14s %8s %18s %16s %8s%n",
        "share found",
        "prompts",
        "p50 ms without",
        "with",
        "lower");
    for (final QuickstartResult.Bucket bucket : result.buckets()) {
      bucket(out, bucket);
    }
    out.println();
    out.printf(
        Locale.ROOT,
        "  logits: %,d compared bit for bit, %,d equal%n",
        result.logitsCompared(),
        result.logitsEqual());
    out.printf(
        Locale.ROOT, "  moved from node to node: %.1f MB of KV%n", result.bytesMoved() / MEGA);
    out.printf(Locale.ROOT, "  %.1f s from the first process to this table%n", result.seconds());
    out.println();
    out.println(
        "The engines are Kvasir's reference engine: a real decoder with random weights. It proves"
            + " bits and shows savings; it does not answer questions.");
  }

  private static void tokens(PrintStream out, String name, long tokens, QuickstartResult result) {
    out.printf(
        Locale.ROOT,
        "  %-34s %,12d %6.1f %%%n",
        name,
        tokens,
        100.0 * tokens / result.promptTokens());
  }

  private static void ttft(PrintStream out, String name, QuickstartResult.Percentiles values) {
    out.printf(Locale.ROOT, "  %-34s %12.1f %8.1f%n", name, values.p50(), values.p95());
  }

  private static void bucket(PrintStream out, QuickstartResult.Bucket bucket) {
    if (bucket.prompts() == 0) {
      return;
    }
    final double cached = bucket.ttftMs().cached().p50();
    final double uncached = bucket.ttftMs().uncached().p50();
    out.printf(
        Locale.ROOT,
        "  %3.0f - %3.0f %%    %8d %18.1f %16.1f %7.1fx%n",
        100 * bucket.from(),
        100 * bucket.to(),
        bucket.prompts(),
        uncached,
        cached,
        uncached / cached);
  }
}
