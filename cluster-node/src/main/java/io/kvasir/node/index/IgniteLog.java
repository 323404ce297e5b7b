package io.kvasir.node.index;

import java.util.List;
import org.apache.ignite.IgniteLogger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ignite's log lines through SLF4J, warnings and errors only: what it calls information is a page
 * per start. Never "quiet", which to Ignite means printing to standard output.
 */
final class IgniteLog implements IgniteLogger {
  /** Beginnings of warnings that are advice for a stand-alone Ignite. */
  private static final List<String> ADVICE =
      List.of(
          "Please set system property",
          "Initial heap size is",
          "Message queue limit is set to 0",
          "Persistence store directory is in the temp directory");

  private final Logger log;

  IgniteLog() {
    this(LoggerFactory.getLogger("org.apache.ignite"));
  }

  private IgniteLog(final Logger log) {
    this.log = log;
  }

  @Override
  public IgniteLogger getLogger(final Object category) {
    return new IgniteLog(
        category instanceof final Class<?> type
            ? LoggerFactory.getLogger(type)
            : LoggerFactory.getLogger(category.toString()));
  }

  @Override
  public void trace(final String message) {}

  @Override
  public void debug(final String message) {}

  @Override
  public void info(final String message) {}

  @Override
  public void warning(final String message, final @Nullable Throwable cause) {
    if (ADVICE.stream().noneMatch(message::startsWith)) {
      log.warn("{}", message, cause);
    }
  }

  @Override
  public void error(final String message, final @Nullable Throwable cause) {
    log.error("{}", message, cause);
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
