package io.kvasir.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/**
 * {@code --json [FILE]}, the same for every command: with a file the JSON goes there and the table
 * to standard output; without one standard output is exactly one JSON document.
 */
final class JsonOption {
  private static final String STANDARD_OUTPUT = "-";
  private static final ObjectMapper MAPPER =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  @Option(
      names = "--json",
      arity = "0..1",
      fallbackValue = STANDARD_OUTPUT,
      paramLabel = "FILE",
      description = "Write the result as JSON to FILE, or instead of the table to standard output.")
  private @Nullable String target;

  /** Writes the result where the user wants it. */
  void write(Object result, Consumer<PrintStream> table) throws IOException {
    if (STANDARD_OUTPUT.equals(target)) {
      System.out.println(MAPPER.writeValueAsString(result));
      return;
    }
    if (target != null) {
      Files.writeString(
          Path.of(target), MAPPER.writeValueAsString(result) + System.lineSeparator());
    }
    table.accept(System.out);
  }
}
