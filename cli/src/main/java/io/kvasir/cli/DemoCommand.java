package io.kvasir.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code kvasir demo}: installs a real engine into a virtual environment of its own, once, and runs
 * it on two nodes. What it does there is in the Python module {@code kvasir.demo}.
 */
@Command(
    name = "demo",
    description = "Run a real engine on two nodes and compare every logit.",
    subcommands = PrefillDecodeCommand.class,
    footer = {
      "",
      "The first run installs PyTorch and Transformers into kvasir/transformers in the user's cache"
          + " folder. KVASIR_PIP_ARGS holds further arguments for pip."
    },
    mixinStandardHelpOptions = true)
final class DemoCommand implements Callable<Integer> {
  /** What can be shown. */
  enum Demo {
    transformers
  }

  /** Of PyTorch, the newest release whose wheel for the CPU alone is at hand where CI runs. */
  static final List<String> PACKAGES = List.of("torch>=2.4,<2.14", "transformers>=5.0", "numpy");

  private static final Duration VENV_LIMIT = Duration.ofMinutes(5);

  /** Of a download of a few hundred megabytes. */
  private static final Duration PIP_LIMIT = Duration.ofHours(1);

  /** Many times what it takes on two cores. */
  private static final Duration DEMO_LIMIT = Duration.ofMinutes(30);

  @Parameters(
      paramLabel = "DEMO",
      arity = "0..1",
      description = "One of: ${COMPLETION-CANDIDATES}, or a command below.")
  private @Nullable Demo demo;

  @Option(
      names = "--short",
      description = "Two prompts of 1,024 tokens, for a quick check; its times mean little.")
  private boolean isShort;

  @Spec private @Nullable CommandSpec spec;

  @Mixin private JsonOption json = new JsonOption();

  @Override
  public Integer call() throws IOException, InterruptedException {
    Demo chosen = demo;
    if (chosen == null) {
      throw new ParameterException(
          Objects.requireNonNull(spec).commandLine(), "Missing required parameter: 'DEMO'");
    }
    Path home = Path.of(System.getProperty("kvasir.home", "")).toAbsolutePath();
    Path sources = sources(home);
    Path environment = environment(chosen, System.getenv());
    ProcessBuilder builder =
        new ProcessBuilder(
            environment.resolve("bin/python").toString(),
            "-m",
            "kvasir.demo",
            "--launcher",
            launcher(home).toString());
    if (isShort) {
      builder.command().add("--short");
    }
    builder.environment().put("PYTHONPATH", sources.toString());
    builder.redirectError(ProcessBuilder.Redirect.INHERIT);
    ChildProcess ended = ChildProcess.run(builder, DEMO_LIMIT);
    JsonNode result = result(ended);
    json.write(result, out -> print(result, out));
    return ended.status() == 0 ? 0 : 1;
  }

  private static JsonNode result(ChildProcess ended) throws IOException {
    JsonNode result;
    try {
      result = new ObjectMapper().readTree(ended.output());
    } catch (JsonProcessingException e) {
      result = MissingNode.getInstance();
    }
    if (!result.isObject()) {
      throw new IOException(
          "KVA-0153 the demo ended without a result - status="
              + ended.status()
              + "; see the lines above");
    }
    return result;
  }

  /** The user's cache folder; a relative one is to be ignored, says the XDG specification. */
  static Path cache(Map<String, String> variables, Path userHome) {
    String cacheHome = variables.getOrDefault("XDG_CACHE_HOME", "");
    Path base = cacheHome.startsWith("/") ? Path.of(cacheHome) : userHome.resolve(".cache");
    return base.resolve("kvasir");
  }

  /** Prints the table for people. */
  static void print(JsonNode result, PrintStream out) {
    JsonNode ttft = result.path("ttftMs");
    double uncached = ttft.path("uncached").asDouble();
    double cached = ttft.path("cached").asDouble();
    out.printf("computed       %9.1f ms to the first logits%n", uncached);
    out.printf("from Kvasir    %9.1f ms%n", cached);
    out.printf("from memory    %9.1f ms%n", ttft.path("inMemory").asDouble());
    out.printf(
        "%d of %d logits equal, %d tokens from the other node, %.1f times sooner than computed%n",
        result.path("logitsEqual").asLong(),
        result.path("logitsCompared").asLong(),
        result.path("tokensFromPeer").asLong(),
        uncached / cached);
  }

  /** The virtual environment, made and filled when it is not there. */
  private static Path environment(Demo demo, Map<String, String> variables)
      throws IOException, InterruptedException {
    Path directory =
        cache(variables, Path.of(System.getProperty("user.home"))).resolve(demo.name());
    Path complete = directory.resolve("complete");
    if (Files.exists(complete) && Files.readAllLines(complete).equals(PACKAGES)) {
      return directory;
    }
    System.err.println("demo: installing " + String.join(", ", PACKAGES) + " into " + directory);
    run(
        List.of("python3", "-m", "venv", "--clear", directory.toString()),
        VENV_LIMIT,
        "install Python 3.10 or later with its venv module");
    List<String> pip = new ArrayList<>();
    pip.add(directory.resolve("bin/pip").toString());
    pip.addAll(List.of("install", "--quiet", "--retries", "0"));
    Arrays.stream(variables.getOrDefault("KVASIR_PIP_ARGS", "").split(" ", -1))
        .filter(argument -> !argument.isBlank())
        .forEach(pip::add);
    pip.addAll(PACKAGES);
    run(pip, PIP_LIMIT, "give pip further arguments in KVASIR_PIP_ARGS, for example another index");
    Files.write(complete, PACKAGES);
    return directory;
  }

  /** The Python package: that of the checkout the distribution was built in, else its own. */
  private static Path sources(Path home) throws IOException {
    for (String place : List.of("../../../connectors/python/src", "python/src")) {
      Path candidate = home.resolve(place).normalize();
      if (Files.exists(candidate.resolve("kvasir/demo.py"))) {
        return candidate;
      }
    }
    throw new IOException(
        "KVA-0150 the Python connectors are missing - home="
            + home
            + "; start Kvasir with its launcher");
  }

  private static Path launcher(Path home) {
    Path checkout = home.resolve("../../../kvasir").normalize();
    return Files.isRegularFile(checkout) ? checkout : home.resolve("bin/kvasir");
  }

  private static void run(List<String> command, Duration limit, String advice)
      throws IOException, InterruptedException {
    String program = command.getFirst();
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.INHERIT);
    int status;
    try {
      status = ChildProcess.run(builder, limit).status();
    } catch (IOException e) {
      throw new IOException(
          "KVA-0151 cannot run a program - program="
              + program
              + " cause="
              + e.getMessage()
              + "; "
              + advice,
          e);
    }
    if (status != 0) {
      throw new IOException(
          "KVA-0152 the demo could not be installed - command="
              + String.join(" ", command)
              + " status="
              + status
              + "; "
              + advice);
    }
  }
}
