package io.kvasir.node.config;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;

/**
 * Collects the text of every configured key: file first, then environment, then {@code --set}, each
 * overriding the one before. Nothing is interpreted here beyond names; lists become one text with
 * commas. Not thread-safe.
 */
final class ConfigSources {
  private static final int FILE_BYTES_MAX = 1 << 20;
  private static final int DEPTH_MAX = 4;

  /** Variables of the launcher, logging and the connectors, which are not configuration keys. */
  private static final Set<String> OTHER_VARIABLES =
      Set.of(
          "KVASIR_JAVA_HOME",
          "KVASIR_HEAP",
          "KVASIR_LOG_LEVEL",
          "KVASIR_PIP_ARGS",
          "KVASIR_ENGINE_SOCKET");

  private final Map<ConfigKey, String> texts = new EnumMap<>(ConfigKey.class);
  private final List<String> problems;

  ConfigSources(final List<String> problems) {
    this.problems = problems;
  }

  Map<ConfigKey, String> texts() {
    return texts;
  }

  void file(final Path file) {
    // Nodes are only composed, never constructed: every value stays the text that was written, and
    // no tag in the file can name a class.
    final LoaderOptions options = new LoaderOptions();
    options.setCodePointLimit(FILE_BYTES_MAX);
    options.setNestingDepthLimit(2 * DEPTH_MAX);
    try (Reader reader = Files.newBufferedReader(file)) {
      // The parser checks its limit between two tokens, and one comment may be gigabytes.
      if (Files.size(file) > FILE_BYTES_MAX) {
        problems.add(
            "file "
                + file
                + " is too long - bytes="
                + Files.size(file)
                + " (limit="
                + FILE_BYTES_MAX
                + ")");
        return;
      }
      final Node root = new Yaml(new SafeConstructor(options)).compose(reader);
      if (root instanceof MappingNode mapping) {
        mapping(file, "", mapping, 1);
      } else if (root != null) {
        problems.add("file " + file + " is not a mapping of keys to values");
      }
    } catch (final NoSuchFileException e) {
      problems.add("file " + file + " does not exist");
    } catch (final MarkedYAMLException e) {
      problems.add(
          "file "
              + file
              + " is not YAML - line="
              + (e.getProblemMark() == null ? 0 : e.getProblemMark().getLine() + 1)
              + " problem="
              + e.getProblem());
    } catch (final YAMLException | IOException e) {
      problems.add("file " + file + " cannot be read - " + e.getMessage());
    }
  }

  void environment(final Map<String, String> environment) {
    for (final Map.Entry<String, String> entry : environment.entrySet()) {
      final String name = entry.getKey();
      if (!name.startsWith("KVASIR_") || OTHER_VARIABLES.contains(name)) {
        continue;
      }
      final ConfigKey key = byEnvironmentName(name);
      if (key == null) {
        problems.add("unknown environment variable " + name + Suggestion.forEnvironment(name));
      } else {
        texts.put(key, entry.getValue());
      }
    }
  }

  void overrides(final List<String> overrides) {
    for (final String override : overrides) {
      final int equals = override.indexOf('=');
      if (equals <= 0) {
        problems.add("--set " + override + " is not key=value");
      } else {
        put("--set", override.substring(0, equals).strip(), override.substring(equals + 1));
      }
    }
  }

  private void mapping(
      final Path file, final String prefix, final MappingNode mapping, final int depth) {
    if (depth > DEPTH_MAX) {
      problems.add("file " + file + " nests deeper than " + DEPTH_MAX + " levels at " + prefix);
      return;
    }
    final Set<String> seen = new HashSet<>();
    for (final NodeTuple tuple : mapping.getValue()) {
      if (!(tuple.getKeyNode() instanceof ScalarNode name)) {
        problems.add("file " + file + " has a key that is not a word" + line(tuple.getKeyNode()));
        continue;
      }
      final String path = prefix + name.getValue();
      if (!seen.add(path)) {
        problems.add("file " + file + " has " + path + " twice" + line(name));
      }
      switch (tuple.getValueNode()) {
        case MappingNode child -> mapping(file, path + ".", child, depth + 1);
        case SequenceNode list -> put("file " + file, path, sequence(file, path, list));
        case ScalarNode scalar when scalar.getTag().equals(Tag.NULL) && isSection(path) -> {
          // All keys of the section are commented out.
        }
        case ScalarNode scalar -> put("file " + file, path, scalar.getValue());
        default -> problems.add("file " + file + " has no value for " + path + line(name));
      }
    }
  }

  private String sequence(final Path file, final String path, final SequenceNode list) {
    final List<String> values = new ArrayList<>();
    for (final Node element : list.getValue()) {
      if (element instanceof ScalarNode scalar) {
        values.add(scalar.getValue());
      } else {
        problems.add("file " + file + " has a list in a list at " + path + line(element));
      }
    }
    return String.join(",", values);
  }

  private void put(final String source, final String path, final String text) {
    for (final ConfigKey key : ConfigKey.values()) {
      if (key.path.equals(path)) {
        texts.put(key, text);
        return;
      }
    }
    problems.add(source + " has unknown key " + path + Suggestion.forKey(path));
  }

  private static boolean isSection(final String path) {
    return Arrays.stream(ConfigKey.values()).anyMatch(key -> key.path.startsWith(path + "."));
  }

  private static @Nullable ConfigKey byEnvironmentName(final String name) {
    for (final ConfigKey key : ConfigKey.values()) {
      if (key.environmentName().equals(name)) {
        return key;
      }
    }
    return null;
  }

  private static String line(final Node node) {
    return " - line=" + (node.getStartMark() == null ? 0 : node.getStartMark().getLine() + 1);
  }
}
