package io.kvasir.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Keeps the arrows between modules, between the rooms of the daemon, and between our code and each
 * library. A package that is not named in {@link #shouldDependOnlyOnItsArrows} fails {@link
 * #shouldNameEveryPackageInTheArrows}, so a new room has to say on what it may lean.
 */
class ArchitectureTest {
  /** The SBE codecs; generated, so without our annotations. */
  private static final String GENERATED = "io.kvasir.transport.codec";

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("io.kvasir");

  /** The command stands above everything and may use all of it. */
  private static final String TOP = "io.kvasir.cli";

  /** Package without the {@code io.kvasir.} prefix, then the packages of ours it may use. */
  private static final String ARROWS =
      """
      placement,
      transport.codec,
      transport,             placement transport.codec
      connectors.protocol,
      connectors.client,     connectors.protocol placement
      connectors.reference,  connectors.client connectors.protocol placement
      node.config,
      node.store,            placement
      node.index,            placement
      node.peer,             node.store node.index transport connectors.protocol placement
      node.engine,           node.store node.index node.peer connectors.protocol placement
      node.local,            node node.config node.store connectors.protocol
      node,                  node.config node.store node.index node.peer node.engine \
      transport connectors.protocol placement
      benchmarks.reference,
      benchmarks,            benchmarks.reference node node.config node.local \
      connectors.client connectors.reference connectors.protocol transport placement
      """;

  @ParameterizedTest
  @CsvSource(textBlock = ARROWS)
  void shouldDependOnlyOnItsArrows(String room, String allowed) {
    Set<String> packages = new TreeSet<>();
    packages.add("io.kvasir." + room);
    if (allowed != null) {
      Arrays.stream(allowed.split(" ")).forEach(name -> packages.add("io.kvasir." + name));
    }
    noClasses()
        .that()
        .resideInAPackage("io.kvasir." + room)
        .should()
        .dependOnClassesThat(
            new DescribedPredicate<JavaClass>("are ours but not in " + packages) {
              @Override
              public boolean test(JavaClass target) {
                return target.getPackageName().startsWith("io.kvasir")
                    && !packages.contains(target.getPackageName());
              }
            })
        .allowEmptyShould(true)
        .check(CLASSES);
  }

  @Test
  void shouldNameEveryPackageInTheArrows() {
    Set<String> named = new TreeSet<>();
    ARROWS.lines().forEach(line -> named.add("io.kvasir." + line.split(",", -1)[0]));
    List<String> unnamed = new ArrayList<>();
    for (JavaPackage found : ourPackages()) {
      if (!named.contains(found.getName()) && !found.getName().startsWith(TOP)) {
        unnamed.add(found.getName());
      }
    }
    assertEquals(List.of(), unnamed, "packages without a line in ARROWS");
  }

  /** Each library stays in the rooms that need it, so that it can be replaced there. */
  @ParameterizedTest
  @CsvSource(
      textBlock =
          """
          org.apache.ignite..,      io.kvasir.node.index
          net.openhft..,            io.kvasir.node.store
          io.aeron..,               io.kvasir.transport.. io.kvasir.benchmarks..
          uk.co.real_logic..,       io.kvasir.transport..
          org.yaml..,               io.kvasir.node.config
          picocli..,                io.kvasir.cli..
          com.knuddels..,           io.kvasir.cli..
          io.lettuce..,             io.kvasir.benchmarks..
          org.openjdk.jmh..,        io.kvasir.benchmarks..
          ch.qos.logback..,         io.kvasir.cli
          """)
  void shouldKeepLibrariesInTheirRooms(String library, String rooms) {
    noClasses()
        .that()
        .resideOutsideOfPackages(rooms.split(" "))
        .should()
        .dependOnClassesThat()
        .resideInAPackage(library)
        .check(CLASSES);
  }

  @Test
  void shouldKeepPlacementAndTheProtocolFreeOfLibraries() {
    noClasses()
        .that()
        .resideInAnyPackage("io.kvasir.placement", "io.kvasir.connectors.protocol")
        .should()
        .dependOnClassesThat()
        .resideOutsideOfPackages("java..", "org.jspecify..", "io.kvasir..")
        .check(CLASSES);
  }

  @Test
  void shouldKeepPlacementFreeOfInputOutputAndThreads() {
    noClasses()
        .that()
        .resideInAPackage("io.kvasir.placement")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "java.net..", "java.nio.file..", "java.nio.channels..", "java.util.concurrent..")
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(Thread.class)
        .orShould()
        .dependOnClassesThat()
        .haveNameMatching("java\\.io\\.(File|RandomAccessFile|Console).*")
        .check(CLASSES);
  }

  @Test
  void shouldMarkEveryPackageNullMarked() {
    List<String> unmarked = new ArrayList<>();
    for (JavaPackage found : ourPackages()) {
      if (!found.getName().equals(GENERATED) && !found.isAnnotatedWith(NullMarked.class)) {
        unmarked.add(found.getName());
      }
    }
    assertEquals(List.of(), unmarked, "packages without @NullMarked in package-info.java");
  }

  private static List<JavaPackage> ourPackages() {
    return CLASSES.getPackage("io.kvasir").getSubpackagesInTree().stream()
        .filter(found -> !found.getClasses().isEmpty())
        .toList();
  }
}
