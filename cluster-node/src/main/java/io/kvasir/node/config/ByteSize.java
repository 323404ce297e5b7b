package io.kvasir.node.config;

import java.math.BigDecimal;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Byte counts as people write them: {@code 4096}, {@code 64KiB}, {@code 1.5GiB}. */
public final class ByteSize {
  private static final Pattern TEXT =
      Pattern.compile("([0-9]{1,18}(?:\\.[0-9]{1,6})?)\\s*(B|KiB|MiB|GiB|TiB)?");

  private ByteSize() {}

  /**
   * Reads a size.
   *
   * @throws IllegalArgumentException when the text is not a whole number of bytes below 2^63
   */
  public static long parse(final String text) {
    final Matcher matcher = TEXT.matcher(text.strip());
    if (!matcher.matches()) {
      throw new IllegalArgumentException("not a size: " + text);
    }
    final BigDecimal factor = BigDecimal.valueOf(1L << shift(matcher.group(2)));
    try {
      return new BigDecimal(matcher.group(1)).multiply(factor).longValueExact();
    } catch (final ArithmeticException e) {
      throw new IllegalArgumentException("not a whole number of bytes below 2^63: " + text, e);
    }
  }

  /** Writes a size with the largest unit that divides it; {@link #parse} reads it back exactly. */
  public static String format(final long bytes) {
    final String[] units = {"GiB", "MiB", "KiB"};
    for (final String unit : units) {
      final long factor = 1L << shift(unit);
      if (bytes != 0 && bytes % factor == 0) {
        return bytes / factor + unit;
      }
    }
    return Long.toString(bytes);
  }

  private static int shift(final @Nullable String unit) {
    return switch (unit) {
      case "KiB" -> 10;
      case "MiB" -> 20;
      case "GiB" -> 30;
      case "TiB" -> 40;
      case null, default -> 0;
    };
  }
}
