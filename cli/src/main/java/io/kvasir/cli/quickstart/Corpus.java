package io.kvasir.cli.quickstart;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.EncodingType;
import com.knuddels.jtokkit.api.IntArrayList;
import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Real text for prompts: Kvasir's own documentation, and the licences and configuration files that
 * come with every JDK. Cut at blank lines into paragraphs and tokenised with cl100k_base; read in
 * the order of the file names, so that the same files give the same prompts. Not thread-safe: it
 * keeps a place in the text and starts over at its end.
 */
final class Corpus {
  private static final Pattern BLANK_LINE = Pattern.compile("\\R\\s*\\R");
  private static final int PARAGRAPH_CHARS_MIN = 80;
  private static final int PARAGRAPH_CHARS_MAX = 1_600;

  /** Less than this would make different prompts alike. */
  private static final int TOKENS_MIN = 10_000;

  private final Encoding encoding =
      Encodings.newLazyEncodingRegistry().getEncoding(EncodingType.CL100K_BASE);
  private final List<int[]> paragraphs = new ArrayList<>();
  private int next;

  private Corpus() {}

  /** Reads the Markdown files of the distribution and the text files of the JDK. */
  static Corpus load(Path kvasirHome, Path javaHome) throws IOException {
    final Corpus corpus = new Corpus();
    final List<Path> own = files(kvasirHome, 3, ".md");
    final List<Path> jdk = new ArrayList<>(files(javaHome.resolve("conf"), 2, ""));
    jdk.addAll(files(javaHome.resolve("legal").resolve("java.base"), 1, ""));
    // Both kinds in turn, so that a short run sees both.
    for (int i = 0; i < Math.max(own.size(), jdk.size()); i++) {
      for (final List<Path> kind : List.of(own, jdk)) {
        if (i < kind.size()) {
          corpus.add(kind.get(i));
        }
      }
    }
    final int tokens = corpus.paragraphs.stream().mapToInt(p -> p.length).sum();
    if (tokens < TOKENS_MIN) {
      throw new IOException(
          "KVA-0601 too little text for prompts - tokens="
              + tokens
              + " kvasirHome="
              + kvasirHome
              + " javaHome="
              + javaHome
              + " (limit="
              + TOKENS_MIN
              + "); run from a complete distribution with a complete JDK");
    }
    return corpus;
  }

  /** Token ids of a text. */
  int[] tokens(String text) {
    final IntArrayList list = encoding.encodeOrdinary(text);
    return list.toArray();
  }

  /** The next paragraphs: whole ones until there are at least {@code tokens}, the last one cut. */
  int[] take(int tokens) {
    final int[] taken = new int[tokens];
    int length = 0;
    while (length < tokens) {
      final int[] paragraph = paragraphs.get(next);
      next = (next + 1) % paragraphs.size();
      final int copied = Math.min(paragraph.length, tokens - length);
      System.arraycopy(paragraph, 0, taken, length, copied);
      length += copied;
    }
    return taken;
  }

  private void add(Path file) throws IOException {
    final String text;
    try {
      text = Files.readString(file);
    } catch (MalformedInputException e) {
      return; // not text
    }
    for (final String paragraph : BLANK_LINE.splitAsStream(text).toList()) {
      if (paragraph.length() >= PARAGRAPH_CHARS_MIN) {
        final int end = Math.min(paragraph.length(), PARAGRAPH_CHARS_MAX);
        paragraphs.add(tokens(paragraph.substring(0, end) + "\n\n"));
      }
    }
  }

  private static List<Path> files(Path folder, int depth, String suffix) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> walk = Files.walk(folder, depth)) {
      return walk.filter(Files::isRegularFile)
          .filter(file -> file.toString().endsWith(suffix))
          .sorted()
          .toList();
    }
  }
}
