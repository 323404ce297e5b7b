package io.kvasir.cli.doctor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.kvasir.cli.doctor.AddressCheck.Interface;
import io.kvasir.cli.doctor.PortCheck.Protocol;
import io.kvasir.cli.doctor.SpaceCheck.Need;
import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Each check with good and bad machines, most of them described by files of the test's own. */
class ChecksTest {
  private static final long MIB = 1L << 20;
  private static final long GIB = 1L << 30;
  private static final int MTU = 65_504;

  @TempDir private Path root;

  @Test
  void shouldWantANewJdkWithACompiler() throws IOException {
    assertOk(JdkCheck.ofThisJvm());
    assertFails("KVAS", "KVA-0702", "KVASIR_JAVA_HOME", new JdkCheck(24, true, "/jdk"));
    assertFails("JRE", "KVA-0702", "whole JDK", new JdkCheck(25, false, "/jre"));
  }

  @Test
  void shouldNameTheFlagsThatAreMissing() throws IOException {
    Path options = root.resolve("jvm.options");
    Files.writeString(options, "# why\n\n-Da=1\n --add-opens=x/y=ALL-UNNAMED \n");
    assertOk(new JvmFlagsCheck(options, List.of("-Xmx1g", "--add-opens=x/y=ALL-UNNAMED", "-Da=1")));
    Finding found = new JvmFlagsCheck(options, List.of("-Da=2")).run();
    assertInstanceOf(Finding.Fail.class, found);
    assertTrue(found.found().contains("-Da=1 --add-opens=x/y=ALL-UNNAMED"), found.found());
    assertWarns("KVA-0703", "launcher", new JvmFlagsCheck(root.resolve("none"), List.of("-Da=1")));
  }

  @Test
  void shouldWantRoomForEverythingThatANodeWrites() throws IOException {
    List<Need> needs = List.of(new Need("slab", GIB), new Need("log buffers", 14 * MIB));
    assertOk(space(needs, "tmpfs", 4 * GIB, 2 * GIB));
    assertWarns("KVA-0704", "/dev/shm", space(needs, "ext4", 90 * GIB, 80 * GIB));
    assertFails("full", "KVA-0704", "size=3G", space(needs, "tmpfs", 2 * GIB, GIB));
    Finding container = space(needs, "tmpfs", 64 * MIB, 64 * MIB).run();
    assertInstanceOf(Finding.Fail.class, container);
    assertTrue(container.found().contains("slab 1.0 GiB, log buffers 14.0 MiB"));
    assertTrue(((Finding.Fail) container).mend().contains("--shm-size=2g"), container.toString());
  }

  @Test
  void shouldCountWhatAnEarlierRunLeftAsFree() throws IOException {
    List<Need> needs = List.of(new Need("slab", 3000));
    assertFails("full", "KVA-0704", "store.slab-bytes", space(needs, "tmpfs", 5000, 1000));
    Files.write(root.resolve("slab-0000000000000001-0000.seg"), new byte[1500]);
    Files.write(root.resolve("slots.kv"), new byte[500]);
    assertOk(space(needs, "tmpfs", 5000, 1000));
  }

  private SpaceCheck space(List<Need> needs, String type, long totalBytes, long usableBytes) {
    return new SpaceCheck(
        "slab-space",
        root,
        needs,
        new FileSystems() {
          @Override
          public Space under(Path path) {
            return new Space(type, totalBytes, usableBytes);
          }

          @Override
          public boolean same(Path one, Path other) {
            return true;
          }
        });
  }

  @Test
  void shouldWantMemoryFromTheMachineAndFromTheControlGroup() throws IOException {
    write("proc/meminfo", "MemFree:  12 kB\nMemTotal:       16777216 kB\n");
    assertOk(new MemoryCheck(host(), 4 * GIB));
    assertWarns("KVA-0705", "store.slab-bytes", new MemoryCheck(host(), 14 * GIB));
    assertFails("RAM", "KVA-0705", "store.slab-bytes", new MemoryCheck(host(), 16 * GIB));
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assertOk(new MemoryCheck(host(), 4 * GIB));
    write("sys/fs/cgroup/memory.max", "max\n");
    assertOk(new MemoryCheck(host(), 4 * GIB));
    write("sys/fs/cgroup/memory.max", "2147483648\n");
    assertFails("group", "KVA-0705", "memory limit", new MemoryCheck(host(), 4 * GIB));
  }

  @Test
  void shouldWantDirectoriesThatCanBeWrittenAndAreFree() throws IOException {
    assertOk(directory(root.resolve("made/later")));
    assertOk(directory(root));
    Path file = Files.writeString(root.resolve("file"), "");
    assertFails("file", "KVA-0706", "remove", directory(file));
    assertFails("below a file", "KVA-0706", "remove", directory(file.resolve("run")));
    Path lock = Files.writeString(root.resolve("node.lock"), "4711\n");
    assertOk(directory(root));
    try (FileChannel channel = FileChannel.open(lock, StandardOpenOption.WRITE);
        FileLock held = channel.lock()) {
      assertTrue(held.isValid());
      assertWarns("pid=4711", "node.run-dir", directory(root));
    }
  }

  @Test
  void shouldWantTheRightToWrite() throws IOException {
    Path readOnly = Files.createDirectory(root.resolve("read-only"));
    assertTrue(readOnly.toFile().setWritable(false));
    assumeFalse(Files.isWritable(readOnly), "root may write everywhere");
    assertFails("below", "KVA-0706", "chown", directory(readOnly.resolve("run")));
    assertFails("itself", "KVA-0706", "chown", directory(readOnly));
  }

  @Test
  void shouldWarnOfDirectoriesThatOthersMayWrite() throws IOException {
    Path open = Files.createDirectory(root.resolve("open"));
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxr-x"));
    assertOk(directory(open));
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
    assertWarns("KVA-0706", "chmod o-w", directory(open));
  }

  @Test
  void shouldWarnOfDirectoriesOfAnotherUser() throws IOException {
    Path alien = Files.createDirectory(root.resolve("alien"));
    try {
      Files.setAttribute(alien, "unix:uid", 65_534);
    } catch (FileSystemException e) {
      assumeTrue(false, "only root may give a directory away");
    }
    assertWarns("KVA-0706", "chown", directory(alien));
  }

  private static DirectoryCheck directory(Path directory) {
    return new DirectoryCheck("run-dir", "node.run-dir", directory, "node.lock");
  }

  @Test
  void shouldCountTheBytesOfTheSocketPath() throws IOException {
    Path longest = Path.of("/" + "x".repeat(106));
    assertOk(new SocketPathCheck(longest));
    assertFails("long", "KVA-0707", "shorter", new SocketPathCheck(Path.of(longest + "y")));
    assertFails("ä", "KVA-0707", "shorter", new SocketPathCheck(Path.of("/" + "ä".repeat(54))));
  }

  @Test
  void shouldFindPortsThatAreTaken() throws IOException {
    InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    try (ServerSocket tcp = new ServerSocket();
        DatagramSocket udp = new DatagramSocket(any)) {
      tcp.bind(any);
      int tcpPort = tcp.getLocalPort();
      assertFails("TCP", "KVA-0708", "-tlnp", port(Protocol.TCP, "127.0.0.1", tcpPort, 0));
      assertOk(port(Protocol.TCP, "127.0.0.1", tcpPort, tcpPort));
      assertFails(
          "UDP", "KVA-0708", "-ulnp", port(Protocol.UDP, "127.0.0.1", udp.getLocalPort(), 0));
    }
    assertOk(port(Protocol.UDP, "127.0.0.1", 0, 0));
    // An address of the documentation range: no machine has it.
    assertFails("elsewhere", "KVA-0708", "key", port(Protocol.TCP, "192.0.2.1", 47500, 0));
  }

  private static PortCheck port(Protocol protocol, String bind, int port, int usedByNode) {
    return new PortCheck("some-port", "key", protocol, bind, port, usedByNode);
  }

  @ParameterizedTest
  @CsvSource({
    "4194304,4194304,Ok",
    "212992,4194304,Warn",
    "4194304,212992,Warn",
    "65503,4194304,Fail",
    "4194304,4096,Fail"
  })
  void shouldWantSocketBuffersOfTheWindow(long receive, long send, String kind) throws IOException {
    write("proc/sys/net/core/rmem_max", receive + "\n");
    write("proc/sys/net/core/wmem_max", send + "\n");
    Finding found = new SocketBufferCheck(host(), 1 << 20, MTU).run();
    assertEquals(kind, found.getClass().getSimpleName(), found.found());
    if (found instanceof Finding.Warn warn) {
      assertTrue(warn.mend().contains("sysctl -w net.core.rmem_max=1048576"), warn.mend());
    }
  }

  @Test
  void shouldSayWhenSocketBuffersAreNotVisible() throws IOException {
    assertWarns("KVA-0709", "on the host", new SocketBufferCheck(host(), 1 << 20, MTU));
  }

  @ParameterizedTest
  @CsvSource({"unlimited,Ok", "65536,Ok", "1024,Warn", "515,Fail"})
  void shouldWantOpenFiles(String soft, String kind) throws IOException {
    limits("Max open files            " + soft + "                 1048576              files");
    Finding found = new OpenFilesCheck(host(), 4).run();
    assertEquals(kind, found.getClass().getSimpleName(), found.found());
  }

  @Test
  void shouldTellTheLimitOfLockedMemory() throws IOException {
    limits("Max locked memory         8388608              8388608              bytes");
    assertTrue(new LockedMemoryCheck(host()).run().found().contains("8.0 MiB"));
    limits("Max locked memory         unlimited            unlimited            bytes");
    assertTrue(new LockedMemoryCheck(host()).run().found().contains("unlimited"));
  }

  @Test
  void shouldWantAnAddressOfThisMachineThatPeersReach() throws IOException {
    Interface lo = new Interface("lo", 65_536, true);
    Interface ethernet = new Interface("eth0", 1_500, false);
    Interface jumbo = new Interface("eth1", 9_000, false);
    assertOk(address("127.0.0.1", List.of("127.0.0.1:47501", "localhost:47502"), MTU, lo));
    assertOk(address("10.0.0.5", List.of("10.0.0.6:47500"), 1_408, ethernet));
    assertOk(address("10.0.0.5", List.of(), 8_928, jumbo));
    assertWarns(
        "KVA-0711", "cluster.bind", address("127.0.0.1", List.of("10.0.0.6:47500"), MTU, lo));
    assertWarns("fragments", "transport.mtu", address("10.0.0.5", List.of(), 8_928, ethernet));
    assertWarns("jumbo", "ping -M do", address("10.0.0.5", List.of(), 1_408, jumbo));
    assertFails("strange", "KVA-0711", "ip addr", address("192.0.2.1", List.of(), 1_408, null));
    assertFails(
        "unknown",
        "KVA-0711",
        "to an address",
        new AddressCheck(
            "nowhere",
            List.of(),
            1_408,
            name -> {
              throw new UnknownHostException(name);
            }));
  }

  private static AddressCheck address(
      String bind, List<String> seeds, int mtuBytes, @Nullable Interface found) {
    return new AddressCheck(bind, seeds, mtuBytes, name -> found);
  }

  @Test
  void shouldReportACheckThatCannotLook() {
    DoctorReport report = DoctorReport.of(List.of(new OpenFilesCheck(host(), 1)));
    DoctorReport.Row row = report.checks().getFirst();
    assertEquals(DoctorReport.Status.WARN, row.status());
    assertTrue(row.found().startsWith("KVA-0700 "), row.found());
    assertEquals(1, report.warnings());
  }

  private HostFiles host() {
    return new HostFiles(root);
  }

  private void limits(String line) throws IOException {
    write("proc/self/limits", "Limit   Soft Limit  Hard Limit  Units\n" + line + "\n");
  }

  private void write(String path, String text) throws IOException {
    Path file = root.resolve(path);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  private static void assertOk(Check check) throws IOException {
    assertInstanceOf(Finding.Ok.class, check.run());
  }

  private static void assertWarns(String found, String mend, Check check) throws IOException {
    Finding.Warn warn = assertInstanceOf(Finding.Warn.class, check.run());
    assertTrue(warn.found().contains(found), warn.found());
    assertTrue(warn.mend().contains(mend), warn.mend());
  }

  private static void assertFails(String what, String found, String mend, Check check)
      throws IOException {
    Finding.Fail fail = assertInstanceOf(Finding.Fail.class, check.run(), what);
    assertTrue(fail.found().contains(found), fail.found());
    assertTrue(fail.mend().contains(mend), fail.mend());
  }
}
