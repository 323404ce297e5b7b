package io.kvasir.benchmarks;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** What one benchmark run found, with the machine it ran on. */
public record BenchReport(
    @JsonProperty("machine") Machine machine, @JsonProperty("results") List<BenchResult> results) {

  public BenchReport {
    results = List.copyOf(results);
  }

  /** Where the figures come from; a figure without its machine means nothing. */
  public record Machine(
      @JsonProperty("cpu") String cpu,
      @JsonProperty("cores") int cores,
      @JsonProperty("memoryBytes") long memoryBytes,
      @JsonProperty("loopbackMtu") int loopbackMtu,
      @JsonProperty("os") String os,
      @JsonProperty("jvm") String jvm) {

    static Machine current() {
      return new Machine(
          procField("/proc/cpuinfo", "model name"),
          Runtime.getRuntime().availableProcessors(),
          totalMemoryBytes(),
          loopbackDeviceMtu(),
          System.getProperty("os.name") + " " + System.getProperty("os.version"),
          System.getProperty("java.vm.name") + " " + System.getProperty("java.vm.version"));
    }

    private static int loopbackDeviceMtu() {
      try {
        NetworkInterface device =
            NetworkInterface.getByInetAddress(InetAddress.getLoopbackAddress());
        return device == null ? 0 : device.getMTU();
      } catch (IOException e) {
        return 0;
      }
    }

    private static long totalMemoryBytes() {
      String kilobytes = procField("/proc/meminfo", "MemTotal").replaceAll("\\D", "");
      return kilobytes.isEmpty() ? 0 : Long.parseLong(kilobytes) * 1024;
    }

    private static String procField(String file, String field) {
      try {
        return Files.readAllLines(Path.of(file)).stream()
            .filter(line -> line.startsWith(field))
            .map(line -> line.substring(line.indexOf(':') + 1).strip())
            .findFirst()
            .orElse("unknown");
      } catch (IOException e) {
        return "unknown";
      }
    }
  }

  /** Prints the rows as a table for people. */
  public void print(PrintStream out) {
    out.printf(
        "%s, %d cores, %s, loopback MTU %d%n%n",
        machine.cpu(), machine.cores(), machine.jvm(), machine.loopbackMtu());
    out.printf(
        "%-18s %10s %7s %6s %10s %10s %10s   %-12s %10s %7s%n",
        "name", "size", "chunks", "unit", "value", "p50", "p99", "reference", "value", "ratio");
    for (BenchResult row : results) {
      out.printf(
          Locale.ROOT,
          "%-18s %10s %7d %6s %10.3f %10.3f %10.3f   %-12s %10s %7s%n",
          row.name(),
          size(row.sizeBytes()),
          row.chunks(),
          row.unit(),
          row.value(),
          row.p50(),
          row.p99(),
          row.reference() == null ? "" : row.reference(),
          row.referenceValue() == null
              ? ""
              : String.format(Locale.ROOT, "%.3f", row.referenceValue()),
          row.ratio() == null ? "" : String.format(Locale.ROOT, "%.3f", row.ratio()));
    }
  }

  private static String size(long bytes) {
    if (bytes >= 1 << 20 && bytes % (1 << 20) == 0) {
      return (bytes >> 20) + " MiB";
    }
    return bytes >= 1024 && bytes % 1024 == 0 ? (bytes >> 10) + " KiB" : bytes + " B";
  }
}
