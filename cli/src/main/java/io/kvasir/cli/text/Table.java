package io.kvasir.cli.text;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/**
 * Rows of aligned columns under a head line: numbers to the right, everything else to the left. Not
 * thread-safe.
 */
public final class Table {
  private static final String GAP = "  ";

  private final List<String> head;
  private final List<List<String>> rows = new ArrayList<>();

  /** An empty table with these columns. */
  public Table(String... head) {
    this.head = List.of(head);
  }

  /** Adds a row with as many cells as there are columns. */
  public Table row(String... cells) {
    if (cells.length != head.size()) {
      throw new IllegalArgumentException(cells.length + " cells for " + head.size() + " columns");
    }
    rows.add(List.of(cells));
    return this;
  }

  /** Prints head and rows. */
  public void print(PrintStream out) {
    int[] widths = new int[head.size()];
    boolean[] right = new boolean[head.size()];
    for (int column = 0; column < widths.length; column++) {
      int at = column;
      widths[column] =
          Math.max(
              head.get(at).length(),
              rows.stream().mapToInt(row -> row.get(at).length()).max().orElse(0));
      right[column] = !rows.isEmpty() && rows.stream().allMatch(row -> isNumber(row.get(at)));
    }
    printRow(out, head, widths, right);
    rows.forEach(row -> printRow(out, row, widths, right));
  }

  private static void printRow(PrintStream out, List<String> cells, int[] widths, boolean[] right) {
    StringBuilder line = new StringBuilder();
    for (int column = 0; column < widths.length; column++) {
      String cell = cells.get(column);
      String padding = " ".repeat(widths[column] - cell.length());
      line.append(column == 0 ? "" : GAP);
      line.append(right[column] ? padding + cell : cell + padding);
    }
    out.println(line.toString().stripTrailing());
  }

  private static boolean isNumber(String cell) {
    return cell.matches("[0-9][0-9,.]*( (B|KiB|MiB|GiB|TiB))?");
  }
}
