package io.kvasir.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * The {@code kvasir} command. Results go to standard output; progress, logs and errors to standard
 * error. Exit codes: 0 success, 1 the command failed, 2 wrong usage.
 */
@Command(
    name = "kvasir",
    description = "A peer-to-peer KV-cache cluster for LLM inference fleets.",
    mixinStandardHelpOptions = true,
    versionProvider = Kvasir.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      QuickstartCommand.class,
      NodeCommand.class,
      StatusCommand.class,
      DoctorCommand.class,
      ReplayCommand.class,
      BenchCommand.class,
      DemoCommand.class
    })
public final class Kvasir implements Runnable {
  @Spec private @Nullable CommandSpec spec;

  private Kvasir() {}

  /** Runs the command and ends the JVM with its exit code. */
  public static void main(String[] args) {
    System.exit(execute(args));
  }

  /** Runs the command in this JVM and returns its exit code. */
  static int execute(String... args) {
    return new CommandLine(new Kvasir())
        .setExecutionExceptionHandler(Kvasir::reportFailure)
        .execute(args);
  }

  @Override
  public void run() {
    if (spec != null) {
      throw new ParameterException(spec.commandLine(), "KVA-0100 no command given; choose one");
    }
  }

  /** One line for people; the stack trace only when it is asked for. */
  private static int reportFailure(
      Exception failure, CommandLine commandLine, CommandLine.ParseResult parsed) {
    String message = failure.getMessage();
    // A message of ours says what failed; that of a library may be no more than a path.
    boolean ours = message != null && message.startsWith("KVA-");
    commandLine.getErr().println("kvasir: " + (ours ? message : failure));
    if (Boolean.getBoolean("kvasir.stackTraces")) {
      failure.printStackTrace(commandLine.getErr());
    }
    return CommandLine.ExitCode.SOFTWARE;
  }

  /** The version in the manifest of the jar this class was loaded from. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Kvasir.class.getPackage().getImplementationVersion();
      return new String[] {"kvasir " + (version != null ? version : "(not packaged)")};
    }
  }
}
