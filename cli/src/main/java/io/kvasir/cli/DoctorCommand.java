package io.kvasir.cli;

import io.kvasir.cli.doctor.Doctor;
import io.kvasir.cli.doctor.DoctorReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kvasir doctor}. */
@Command(
    name = "doctor",
    description = "Check whether this machine can run a node, and say how to mend what is wrong.",
    mixinStandardHelpOptions = true)
final class DoctorCommand implements Callable<Integer> {
  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "The node's YAML file; without one the defaults, the environment and --set.")
  private @Nullable Path config;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Override one key; may be repeated.")
  private List<String> overrides = new ArrayList<>();

  @Mixin private JsonOption json = new JsonOption();

  @Override
  public Integer call() throws IOException {
    DoctorReport report = Doctor.examine(config, System.getenv(), overrides);
    json.write(report, report::print);
    return report.failures() == 0 ? 0 : 1;
  }
}
