import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.stream.Stream;
import uk.co.real_logic.sbe.SbeTool;

/**
 * Generates the SBE codecs of a schema, but only when the schema differs from the one that the
 * folder was generated from: fresh files would make every module that depends on them compile
 * again. The build runs it as a single-file program with SBE on the class path.
 */
final class GenerateCodecs {
  private GenerateCodecs() {}

  public static void main(String[] args) throws Exception {
    Path schema = Path.of(args[0]);
    Path output = Path.of(args[1]);
    Path done = output.resolveSibling(output.getFileName() + ".schema");
    if (Files.exists(done) && Files.isDirectory(output) && Files.mismatch(schema, done) < 0) {
      return;
    }
    delete(output);
    Files.createDirectories(output);
    System.setProperty("sbe.output.dir", output.toString());
    System.setProperty("sbe.validation.stop.on.error", "true");
    System.setProperty("sbe.validation.warnings.fatal", "true");
    SbeTool.main(new String[] {schema.toString()});
    Files.copy(schema, done, StandardCopyOption.REPLACE_EXISTING);
  }

  private static void delete(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }
}
