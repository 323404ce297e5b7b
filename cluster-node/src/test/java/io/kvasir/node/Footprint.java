package io.kvasir.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
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
  private static final Pattern HEAP = Pattern.compile("\\[0x(\\w+), 0x\\w+, 0x(\\w+)\\)");
  private static final Pattern MAPPING = Pattern.compile("^([0-9a-f]+)-[0-9a-f]+ ");
  private static final Pattern ANONYMOUS = Pattern.compile("^Anonymous:\\s+(\\d+) kB");

  /** Of a JVM that collects with Serial. */
  static Footprint of(final long pid, final Path slabDirectory) throws Exception {
    final long live = sum(LIVE, jcmd(pid, "GC.class_histogram"));
    final long outsideHeap = outsideHeap(pid, jcmd(pid, "GC.heap_info"));
    final String status = Files.readString(Path.of("/proc/" + pid + "/status"));
    final long threads = sum(Pattern.compile("Threads:\\s+(\\d+)"), status);
    try (Stream<Path> files = Files.list(Path.of("/proc/" + pid + "/fd"))) {
      return new Footprint(
          (int) threads, (int) files.count(), live, outsideHeap, bytes(slabDirectory));
    }
  }

  /** Anonymous memory of all mappings but those that begin in a generation of the heap. */
  private static long outsideHeap(final long pid, final String heap) throws IOException {
    final List<MatchResult> generations = HEAP.matcher(heap).results().toList();
    if (generations.isEmpty()) {
      throw new IOException("no heap of Serial: " + heap);
    }
    boolean isInside = false;
    long sum = 0;
    for (final String line : Files.readAllLines(Path.of("/proc/" + pid + "/smaps"))) {
      final Matcher mapping = MAPPING.matcher(line);
      if (mapping.find()) {
        final long begin = Long.parseUnsignedLong(mapping.group(1), 16);
        isInside =
            generations.stream()
                .anyMatch(
                    generation ->
                        begin >= Long.parseUnsignedLong(generation.group(1), 16)
                            && begin < Long.parseUnsignedLong(generation.group(2), 16));
      } else if (!isInside) {
        sum += sum(ANONYMOUS, line) << 10;
      }
    }
    return sum;
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

  /** Whether nothing grew by more than what a running process breathes. */
  boolean isWithin(final Footprint before) {
    return threads <= before.threads + 8
        && files <= before.files + 8
        && liveHeapBytes <= before.liveHeapBytes + (64 << 20)
        && nativeBytes <= before.nativeBytes + (128 << 20)
        && sharedBytes <= before.sharedBytes + (1 << 20);
  }
}
