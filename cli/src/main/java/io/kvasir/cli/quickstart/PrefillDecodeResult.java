package io.kvasir.cli.quickstart;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What {@code demo prefill-decode} found; all but counts are medians.
 *
 * @param prompts prompts handed off
 * @param tokensHandedOff their tokens whose KV the decode engine did not compute
 * @param logitsCompared single logits of the decode engine, after a hand-off against computed
 * @param logitsEqual those that have the same bits
 * @param overlap part of the transfer that lay before the end of prefill
 * @param overlapPaced the same of KV made at 0.7 times the rate of the lane; only with that
 * @param laneBytesPerSecond that rate; only with that
 * @param wrongBytes bytes of paced hand-offs that came wrong
 * @param prefillSlowdown time of a prefill that is handed off, by one that is not
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record PrefillDecodeResult(
    int prompts,
    long tokensHandedOff,
    long logitsCompared,
    long logitsEqual,
    double overlap,
    @Nullable Double overlapPaced,
    @Nullable Double laneBytesPerSecond,
    long wrongBytes,
    Ttft ttftMs,
    double prefillSlowdown,
    double seconds) {
  private static final double BYTES_PER_GB = 1e9;

  /**
   * Milliseconds to the first logits on the decode node.
   *
   * @param handoff from the end of prefill
   * @param recompute from the same moment, without a cache
   */
  public record Ttft(double handoff, double recompute) {}

  /** Whether every logit and every byte was right. */
  @JsonIgnore
  public boolean isSuccess() {
    return logitsCompared > 0 && logitsEqual == logitsCompared && wrongBytes == 0;
  }

  /** Prints the table for people; the last line sums up. */
  public void print(PrintStream out) {
    out.println(
        String.format(
            Locale.ROOT, "recomputed     %9.1f ms to the first logits", ttftMs.recompute()));
    out.println(
        String.format(
            Locale.ROOT, "handed off     %9.1f ms from the end of prefill", ttftMs.handoff()));
    out.println(
        String.format(
            Locale.ROOT,
            "overlap        %9.3f of the transfer before the end of prefill",
            overlap));
    if (overlapPaced != null && laneBytesPerSecond != null) {
      out.println(
          String.format(
              Locale.ROOT,
              "overlap paced  %9.3f at 0.7 times %.2f GB/s",
              overlapPaced,
              laneBytesPerSecond / BYTES_PER_GB));
    }
    out.println(
        String.format(
            Locale.ROOT,
            "prefill        %9.3f times as long while it is handed off",
            prefillSlowdown));
    out.println(
        String.format(
            Locale.ROOT,
            "%,d of %,d logits equal, %,d tokens handed off, %.1f times sooner than recomputed,"
                + " %.1f s",
            logitsEqual,
            logitsCompared,
            tokensHandedOff,
            ttftMs.recompute() / ttftMs.handoff(),
            seconds));
  }

  static double median(List<Double> values) {
    final List<Double> sorted = values.stream().sorted().toList();
    final int middle = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(middle)
        : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
  }

  /** Collects the measurements. Not thread-safe. */
  static final class Builder {
    private final List<Double> handoffMs = new ArrayList<>();
    private final List<Double> recomputeMs = new ArrayList<>();
    private final List<Double> slowdowns = new ArrayList<>();
    private final List<Double> overlaps = new ArrayList<>();
    private final List<Double> pacedOverlaps = new ArrayList<>();
    private long logitsCompared;
    private long logitsEqual;
    private long tokensHandedOff;
    private long wrongBytes;
    private @Nullable Double laneBytesPerSecond;

    void prompt(
        int compared,
        int equal,
        int tokens,
        double handoff,
        double recompute,
        double slowdown,
        double overlap) {
      logitsCompared += compared;
      logitsEqual += equal;
      tokensHandedOff += tokens;
      handoffMs.add(handoff);
      recomputeMs.add(recompute);
      slowdowns.add(slowdown);
      overlaps.add(overlap);
    }

    void paced(double overlap) {
      pacedOverlaps.add(overlap);
    }

    void lane(double bytesPerSecond) {
      laneBytesPerSecond = bytesPerSecond;
    }

    void wrongBytes(long bytes) {
      wrongBytes += bytes;
    }

    String last() {
      return String.format(
          Locale.ROOT,
          "first logits %.1f ms after the end of prefill (recomputed %.1f ms), overlap %.3f",
          handoffMs.getLast(),
          recomputeMs.getLast(),
          overlaps.getLast());
    }

    PrefillDecodeResult build(double seconds) {
      return new PrefillDecodeResult(
          handoffMs.size(),
          tokensHandedOff,
          logitsCompared,
          logitsEqual,
          median(overlaps),
          pacedOverlaps.isEmpty() ? null : median(pacedOverlaps),
          laneBytesPerSecond,
          wrongBytes,
          new Ttft(median(handoffMs), median(recomputeMs)),
          median(slowdowns),
          seconds);
    }
  }
}
