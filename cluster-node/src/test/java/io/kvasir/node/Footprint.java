package io.kvasir.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What a process holds.
 *
 * @param liveHeapBytes after a full collection
 * @param nativeBytes anonymous memory outside the heap
 * @param sharedBytes files of its slab directory
 */
record Footprint(int threads, int files, long liveHeapBytes, long nativeBytes, long sharedBytes) {
  private static final Pattern LIVE = Pattern.compile("Total\\s+\\d+\\s+(\\d+)");
  private static final Pattern COMMITTED = Pattern.compile("(?:DefNew|Tenured)\\s+total (\\d+)K");

  /** Of a JVM that collects with Serial. */
  static Footprint of(final long pid, final Path slabDirectory) throws Exception {
    final long live = sum(LIVE, jcmd(pid, "GC.class_histogram"));
    final long committed = sum(COMMITTED, jcmd(pid, "GC.heap_info")) << 10;
    final String status = Files.readString(Path.of("/proc/" + pid + "/status"));
    final long anonymous = sum(Pattern.compile("RssAnon:\\s+(\\d+) kB"), status) << 10;
    final long threads = sum(Pattern.compile("Threads:\\s+(\\d+)"), status);
    try (Stream<Path> files = Files.list(Path.of("/proc/" + pid + "/fd"))) {
      return new Footprint(
          (int) threads,
          (int) files.count(),
          live,
          Math.max(0, anonymous - committed),
          bytes(slabDirectory));
    }
  }

  private static long bytes(final Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      return files.mapToLong(Footprint::length).sum();
    } catch (final UncheckedIOException _) {
      return bytes(directory); // a folder went while we looked
    }
  }

  /** Log buffers come and go. */
  private static long length(final Path file) {
    try {
      return Files.isRegularFile(file) ? Files.size(file) : 0;
    } catch (final NoSuchFileException _) {
      return 0;
    } catch (final IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String jcmd(final long pid, final String command) throws Exception {
    final Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                Long.toString(pid),
                command)
            .redirectErrorStream(true)
            .start();
    final String answer =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException("jcmd " + command + ": " + answer);
    }
    return answer;
  }

  private static long sum(final Pattern pattern, final String text) {
    final Matcher matcher = pattern.matcher(text);
    long sum = 0;
    while (matcher.find()) {
      sum += Long.parseLong(matcher.group(1));
    }
    return sum;
  }

  /**
   * Whether nothing grew by more than what a running process breathes. Heap that is committed and
   * was never touched is not in memory yet, so touching it looks like native growth.
   */
  boolean isWithin(final Footprint before) {
    return threads <= before.threads + 8
        && files <= before.files + 8
        && liveHeapBytes <= before.liveHeapBytes + (16 << 20)
        && nativeBytes <= before.nativeBytes + (128 << 20)
        && sharedBytes <= before.sharedBytes + (1 << 20);
  }
}
