package io.kvasir.cli.doctor;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Whether this JVM, which the launcher started like any node, got every flag of the distribution.
 *
 * @param optionsFile {@code jvm.options} of the distribution
 * @param arguments what the JVM was started with
 */
record JvmFlagsCheck(Path optionsFile, List<String> arguments) implements Check {
  static JvmFlagsCheck ofThisJvm() {
    return new JvmFlagsCheck(
        Path.of(System.getProperty("kvasir.home", ""), "jvm.options").toAbsolutePath(),
        ManagementFactory.getRuntimeMXBean().getInputArguments());
  }

  @Override
  public String name() {
    return "jvm-flags";
  }

  @Override
  public Finding run() throws IOException {
    List<String> wanted;
    try (var lines = Files.lines(optionsFile)) {
      wanted =
          lines
              .map(String::strip)
              .filter(line -> !line.isEmpty() && !line.startsWith("#"))
              .toList();
    } catch (NoSuchFileException e) {
      return new Finding.Warn(
          "KVA-0703 the flags cannot be compared - missing=" + optionsFile,
          "start Kvasir with its launcher, or set -Dkvasir.home to the distribution");
    }
    Set<String> present = new HashSet<>(arguments);
    List<String> missing = wanted.stream().filter(flag -> !present.contains(flag)).toList();
    if (missing.isEmpty()) {
      return new Finding.Ok("all " + wanted.size() + " flags of " + optionsFile);
    }
    return new Finding.Fail(
        "KVA-0703 JVM flags are missing - flags=" + String.join(" ", missing),
        "start with the launcher, or with java @" + optionsFile);
  }
}
