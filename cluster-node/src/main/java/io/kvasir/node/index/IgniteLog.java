package io.kvasir.node.index;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.ignite.IgniteLogger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ignite's log lines through SLF4J, warnings and errors only: what it calls information is a page
 * per start. Never "quiet", which to Ignite means printing to standard output. Rationed, because
 * Ignite writes a line for every stranger that knocks at its ports.
 */
final class IgniteLog implements IgniteLogger {
  /** Beginnings of warnings that are advice for a stand-alone Ignite. */
  private static final List<String> ADVICE =
      List.of(
          "Please set system property",
          "Initial heap size is",
          "Message queue limit is set to 0",
          "Persistence store directory is in the temp directory");

  private static final int LINES_PER_WINDOW = 20;
  private static final long WINDOW_NS = TimeUnit.SECONDS.toNanos(10);

  /** How many lines this window has seen; shared by all loggers of one Ignite. */
  private static final class Ration {
    private long windowNs = System.nanoTime();
    private int lines;

    /** Lines kept back in the window that just ended, or -1 if this line is to be kept back. */
    synchronized int take() {
      final long nowNs = System.nanoTime();
      int missing = 0;
      if (nowNs - windowNs >= WINDOW_NS) {
        missing = Math.max(0, lines - LINES_PER_WINDOW);
        windowNs = nowNs;
        lines = 0;
      }
      lines++;
      return lines > LINES_PER_WINDOW ? -1 : missing;
    }
  }

  private final Logger log;
  private final Ration ration;

  IgniteLog() {
    this(LoggerFactory.getLogger("org.apache.ignite"), new Ration());
  }

  private IgniteLog(final Logger log, final Ration ration) {
    this.log = log;
    this.ration = ration;
  }

  @Override
  public IgniteLogger getLogger(final Object category) {
    return new IgniteLog(
        category instanceof final Class<?> type
            ? LoggerFactory.getLogger(type)
            : LoggerFactory.getLogger(category.toString()),
        ration);
  }

  @Override
  public void trace(final String message) {}

  @Override
  public void debug(final String message) {}

  @Override
  public void info(final String message) {}

  @Override
  public void warning(final String message, final @Nullable Throwable cause) {
    if (ADVICE.stream().noneMatch(message::startsWith) && granted()) {
      log.warn("{}", message, cause);
    }
  }

  @Override
  public void error(final String message, final @Nullable Throwable cause) {
    if (granted()) {
      log.error("{}", message, cause);
    }
  }

  private boolean granted() {
    final int missing = ration.take();
    if (missing > 0) {
      log.warn("{} more lines of Ignite were not written", missing);
    }
    return missing >= 0;
  }

  @Override
  public boolean isTraceEnabled() {
    return false;
  }

  @Override
  public boolean isDebugEnabled() {
    return false;
  }

  @Override
  public boolean isInfoEnabled() {
    return false;
  }

  @Override
  public boolean isQuiet() {
    return false;
  }

  @Override
  public @Nullable String fileName() {
    return null;
  }
}
