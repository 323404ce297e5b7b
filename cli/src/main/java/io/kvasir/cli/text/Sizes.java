package io.kvasir.cli.text;

import java.util.Locale;

/** Byte counts for people, rounded; {@code ByteSize} is the exact form. */
public final class Sizes {
  private static final String[] UNITS = {"KiB", "MiB", "GiB", "TiB"};
  private static final int STEP = 1024;

  private Sizes() {}

  /** {@code 1536} is {@code 1.5 KiB}. */
  public static String text(long bytes) {
    if (Math.abs(bytes) < STEP) {
      return bytes + " B";
    }
    double value = bytes;
    int unit = -1;
    // 1023.96 KiB would be printed as 1024.0 KiB.
    while (Math.abs(value) >= STEP - 0.05 && unit < UNITS.length - 1) {
      value /= STEP;
      unit++;
    }
    return String.format(Locale.ROOT, "%.1f %s", value, UNITS[unit]);
  }
}
