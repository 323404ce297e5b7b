package io.kvasir.cli.quickstart;

import java.io.PrintStream;
import java.util.Locale;

/** The result for people. */
public final class QuickstartTable {
  private static final double MEGA = 1e6;

  private QuickstartTable() {}

  /** Prints all tables. */
  public static void print(QuickstartResult result, PrintStream out) {
    line(
        out,
        "%d requests, %,d prompt tokens, %.0f %% of them reusable",
        result.requests(),
        result.promptTokens(),
        100 * result.reusableShare());
    line(out, "");
    line(out, "  %-34s %12s %8s", "prompt tokens", "tokens", "share");
    tokens(out, "reused from the local slab", result.tokens().local(), result);
    tokens(out, "reused from peers", result.tokens().peer(), result);
    tokens(out, "computed", result.tokens().computed(), result);
    line(out, "");
    line(out, "  %-34s %12s %8s", "time to first token", "p50 ms", "p95 ms");
    ttft(out, "without the cache", result.ttftMs().uncached());
    ttft(out, "with the cache", result.ttftMs().cached());
    ttft(out, "  of it lookup and load", result.loadMs());
    line(
        out,
        "  %-34s %11.1fx   (%d prompts, >= %d tokens, >= %.0f %% found)",
        "p50 lower by",
        result.ttftRatio(),
        result.ttftPrompts(),
        QuickstartResult.LONG_PROMPT_TOKENS,
        100 * QuickstartResult.MOSTLY_FOUND);
    line(out, "");
    line(
        out,
        "  %-14s %8s %18s %16s %8s",
        "share found",
        "prompts",
        "p50 ms without",
        "with",
        "lower");
    for (final QuickstartResult.Bucket bucket : result.buckets()) {
      bucket(out, bucket);
    }
    line(out, "");
    line(
        out,
        "  logits: %,d compared bit for bit, %,d equal",
        result.logitsCompared(),
        result.logitsEqual());
    line(out, "  moved from node to node: %.1f MB of KV", result.bytesMoved() / MEGA);
    line(out, "  %.1f s from the first process to this table", result.seconds());
    line(out, "");
    line(
        out,
        "The engines are Kvasir's reference engine: a real decoder with random weights. It proves"
            + " bits and shows savings; it does not answer questions.");
  }

  private static void tokens(PrintStream out, String name, long tokens, QuickstartResult result) {
    line(out, "  %-34s %,12d %6.1f %%", name, tokens, 100.0 * tokens / result.promptTokens());
  }

  private static void ttft(PrintStream out, String name, QuickstartResult.Percentiles values) {
    line(out, "  %-34s %12.1f %8.1f", name, values.p50(), values.p95());
  }

  private static void bucket(PrintStream out, QuickstartResult.Bucket bucket) {
    if (bucket.prompts() == 0) {
      return;
    }
    final double cached = bucket.ttftMs().cached().p50();
    final double uncached = bucket.ttftMs().uncached().p50();
    line(
        out,
        "  %3.0f - %3.0f %%    %8d %18.1f %16.1f %7.1fx",
        100 * bucket.from(),
        100 * bucket.to(),
        bucket.prompts(),
        uncached,
        cached,
        uncached / cached);
  }

  private static void line(PrintStream out, String format, Object... values) {
    out.println(String.format(Locale.ROOT, format, values));
  }
}
