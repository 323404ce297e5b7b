package io.kvasir.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * {@code --json [FILE]}, the same for every command: with a file the JSON goes there and the table
 * to standard output; without one standard output is exactly one JSON document.
 */
final class JsonOption {
  private static final String STANDARD_OUTPUT = "-";
  private static final ObjectMapper MAPPER =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  @Spec(Spec.Target.MIXEE)
  private @Nullable CommandSpec command;

  private @Nullable String target;

  /** Refuses a place that cannot be written now, not after minutes of work. */
  @Option(
      names = "--json",
      arity = "0..1",
      fallbackValue = STANDARD_OUTPUT,
      paramLabel = "FILE",
      description = "Write the result as JSON to FILE, or instead of the table to standard output.")
  void setTarget(String target) {
    this.target = target;
    if (STANDARD_OUTPUT.equals(target)) {
      return;
    }
    Path file = Path.of(target).toAbsolutePath();
    Path folder = file.getParent();
    if (Files.isDirectory(file)
        || folder == null
        || !Files.isDirectory(folder)
        || !Files.isWritable(Files.exists(file) ? file : folder)) {
      throw new ParameterException(
          Objects.requireNonNull(command).commandLine(),
          "KVA-0140 --json cannot be written; name a file in a directory that is there - file="
              + file);
    }
  }

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
