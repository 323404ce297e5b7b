package io.kvasir.cli.doctor;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.io.IOException;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What all checks found, in their order.
 *
 * @param ok number of checks with nothing to say
 * @param warnings number of nuisances
 * @param failures number of reasons not to start a node
 */
public record DoctorReport(List<Row> checks, long ok, long warnings, long failures) {
  /** How good it is. */
  public enum Status {
    OK,
    WARN,
    FAIL
  }

  /**
   * One check.
   *
   * @param mend what to do; absent when the status is OK
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Row(String name, Status status, String found, @Nullable String mend) {}

  static DoctorReport of(List<Check> checks) {
    List<Row> rows = new ArrayList<>();
    for (Check check : checks) {
      rows.add(row(check));
    }
    return new DoctorReport(
        List.copyOf(rows),
        count(rows, Status.OK),
        count(rows, Status.WARN),
        count(rows, Status.FAIL));
  }

  private static Row row(Check check) {
    Finding finding;
    try {
      finding = check.run();
    } catch (IOException e) {
      finding =
          new Finding.Warn(
              "KVA-0700 could not look - cause=" + e, "look yourself, or run as the node's user");
    }
    return switch (finding) {
      case Finding.Ok ok -> new Row(check.name(), Status.OK, ok.found(), null);
      case Finding.Warn warn -> new Row(check.name(), Status.WARN, warn.found(), warn.mend());
      case Finding.Fail fail -> new Row(check.name(), Status.FAIL, fail.found(), fail.mend());
    };
  }

  private static long count(List<Row> rows, Status status) {
    return rows.stream().filter(row -> row.status() == status).count();
  }

  /** Prints a line per check, and under it how to mend. */
  public void print(PrintStream out) {
    int width = checks.stream().mapToInt(row -> row.name().length()).max().orElse(0);
    for (Row row : checks) {
      out.println(columns(row.status().name(), row.name(), width) + row.found());
      if (row.mend() != null) {
        out.println(columns("", "", width) + "-> " + row.mend());
      }
    }
    out.println();
    out.println(ok + " ok, " + warnings + " to look at, " + failures + " to mend");
  }

  private static String columns(String status, String name, int nameWidth) {
    String padding = " ".repeat(Math.max(0, nameWidth - name.length()));
    return String.format(Locale.ROOT, "%-4s  %s%s  ", status, name, padding);
  }
}
