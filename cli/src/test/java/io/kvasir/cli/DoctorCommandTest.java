package io.kvasir.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DoctorCommandTest {
  private static final JsonMapper MAPPER = JsonMapper.builder().build();

  @TempDir private Path folder;

  @Test
  void shouldReportEveryCheckAndLeaveNothing() throws IOException {
    Path runDir = folder.resolve("run");
    Path slabDir = folder.resolve("slab");
    Output output =
        Output.of(
            "doctor",
            "--json",
            "--set=node.run-dir=" + runDir,
            "--set=store.slab-dir=" + slabDir,
            "--set=store.slab-bytes=16MiB");
    JsonNode report = MAPPER.readTree(output.out());
    assertEquals(
        report.path("checks").size(),
        report.path("ok").asInt()
            + report.path("warnings").asInt()
            + report.path("failures").asInt());
    assertEquals(report.path("failures").asInt() == 0 ? 0 : 1, output.exitCode());
    for (JsonNode check : report.path("checks")) {
      assertEquals("OK".equals(check.path("status").asText()), check.path("mend").isMissingNode());
    }
    assertEquals("OK", status(report, "jdk"));
    assertEquals("OK", status(report, "configuration"));
    assertEquals("OK", status(report, "run-dir"));
    assertFalse(Files.exists(runDir));
    assertFalse(Files.exists(slabDir));
  }

  @Test
  void shouldFailAndStillReportTheMachineWhenTheConfigurationIsRefused() throws IOException {
    Output output = Output.of("doctor", "--set=store.slab-byte=1GiB", "--set=transport.port=7");
    assertEquals(1, output.exitCode());
    assertTrue(output.out().contains("FAIL  configuration"), output.out());
    assertTrue(output.out().contains("did you mean store.slab-bytes?"), output.out());
    assertTrue(output.out().contains("transport.port=7"), output.out());
    assertTrue(output.out().contains("OK    jdk"), output.out());
  }

  @Test
  void shouldFailWhenTheSlabCannotFit() throws IOException {
    Output output =
        Output.of(
            "doctor",
            "--json",
            "--set=node.run-dir=" + folder.resolve("run"),
            "--set=store.slab-dir=" + folder.resolve("slab"),
            "--set=store.slab-bytes=8TiB");
    assertEquals(1, output.exitCode());
    assertEquals("FAIL", status(MAPPER.readTree(output.out()), "slab-space"));
  }

  private static String status(JsonNode report, String name) {
    for (JsonNode check : report.path("checks")) {
      if (check.path("name").asText().equals(name)) {
        return check.path("status").asText();
      }
    }
    return "missing";
  }
}
