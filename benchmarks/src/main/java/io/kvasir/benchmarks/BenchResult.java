package io.kvasir.benchmarks;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import org.jspecify.annotations.Nullable;

/**
 * One row of a benchmark: our figure and, when there is one, the reference measured beside it in
 * the same run.
 *
 * @param name what was measured, for example {@code pull}
 * @param sizeBytes bytes of one chunk
 * @param chunks chunks moved or asked for per measurement
 * @param unit {@code GB/s} (10^9 bytes), {@code us}, {@code ops/s} or {@code B/op}
 * @param value median over the measurements
 * @param p50 median of the distribution the row is about (equals {@code value} for throughput)
 * @param p99 99th percentile of the distribution, in the direction that hurts
 * @param reference name of the reference, absent when the row stands alone
 * @param referenceValue median of the reference, same unit
 * @param ratio median of the ratios of the pairs, ours divided by the reference
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record BenchResult(
    @JsonProperty("name") String name,
    @JsonProperty("sizeBytes") long sizeBytes,
    @JsonProperty("chunks") int chunks,
    @JsonProperty("unit") String unit,
    @JsonProperty("value") double value,
    @JsonProperty("p50") double p50,
    @JsonProperty("p99") double p99,
    @JsonProperty("reference") @Nullable String reference,
    @JsonProperty("referenceValue") @Nullable Double referenceValue,
    @JsonProperty("ratio") @Nullable Double ratio) {

  /** A throughput row against a reference; both sides in GB/s, paired round by round. */
  static BenchResult throughput(
      String name, long sizeBytes, int chunks, double[] ours, String reference, double[] theirs) {
    return new BenchResult(
        name,
        sizeBytes,
        chunks,
        "GB/s",
        Samples.median(ours),
        Samples.median(ours),
        Samples.percentile(ours, 0.01),
        reference,
        Samples.median(theirs),
        Samples.medianRatio(ours, theirs));
  }

  /** A throughput row without a reference. */
  static BenchResult throughput(String name, long sizeBytes, int chunks, double[] ours) {
    return new BenchResult(
        name,
        sizeBytes,
        chunks,
        "GB/s",
        Samples.median(ours),
        Samples.median(ours),
        Samples.percentile(ours, 0.01),
        null,
        null,
        null);
  }

  /** A latency row in microseconds. */
  static BenchResult latency(String name, long sizeBytes, int chunks, double[] micros) {
    return new BenchResult(
        name,
        sizeBytes,
        chunks,
        "us",
        Samples.median(micros),
        Samples.median(micros),
        Samples.percentile(micros, 0.99),
        null,
        null,
        null);
  }
}
