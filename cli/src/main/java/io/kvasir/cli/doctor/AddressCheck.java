package io.kvasir.cli.doctor;

import java.io.IOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.UnknownHostException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Whether the cluster address is one of this machine, one that the seeds can reach, and whether the
 * interface takes a datagram in one piece.
 *
 * @param bind {@code cluster.bind}
 * @param seeds {@code cluster.seeds}
 * @param mtuBytes {@code transport.mtu}
 */
record AddressCheck(String bind, List<String> seeds, int mtuBytes, Interfaces interfaces)
    implements Check {
  /** Headers of UDP and IPv6, the longer of the two. */
  private static final int HEADER_BYTES = 48;

  /** Largest multiple of 32 that Aeron sends in a jumbo frame of 9,000 bytes. */
  private static final int JUMBO_MTU_BYTES = 8_928;

  /** A network interface of this machine. */
  record Interface(String name, int mtuBytes, boolean loopback) {}

  /** Finds interfaces; tests answer with ones that this machine lacks. */
  @FunctionalInterface
  interface Interfaces {
    /** The one with this address, or null if it is none of this machine. */
    @Nullable Interface of(String address) throws IOException;

    /** Those of this machine. */
    static @Nullable Interface local(String address) throws IOException {
      NetworkInterface found = NetworkInterface.getByInetAddress(InetAddress.getByName(address));
      return found == null
          ? null
          : new Interface(found.getName(), found.getMTU(), found.isLoopback());
    }
  }

  @Override
  public String name() {
    return "address";
  }

  @Override
  public Finding run() throws IOException {
    Interface found;
    try {
      found = interfaces.of(bind);
    } catch (UnknownHostException e) {
      return new Finding.Fail(
          "KVA-0711 the name is not known - cluster.bind=" + bind,
          "set cluster.bind to an address");
    }
    if (found == null) {
      return new Finding.Fail(
          "KVA-0711 no interface has the address - cluster.bind=" + bind,
          "set cluster.bind to an address of this machine (ip addr shows them)");
    }
    if (found.loopback()) {
      return loopback(found);
    }
    if (mtuBytes + HEADER_BYTES > found.mtuBytes()) {
      return new Finding.Warn(
          "KVA-0711 datagrams are cut into fragments - transport.mtu="
              + mtuBytes
              + " interface="
              + found.name()
              + " (limit="
              + (found.mtuBytes() - HEADER_BYTES)
              + ")",
          "set transport.mtu=auto, or jumbo frames on interface and switches");
    }
    if (mtuBytes < JUMBO_MTU_BYTES && found.mtuBytes() >= JUMBO_MTU_BYTES + HEADER_BYTES) {
      return new Finding.Warn(
          "KVA-0711 jumbo frames are not used - transport.mtu="
              + mtuBytes
              + " interface="
              + found.name()
              + " interfaceMtu="
              + found.mtuBytes(),
          "if the path carries them (ping -M do -s 8972 PEER), set transport.mtu="
              + JUMBO_MTU_BYTES
              + " on all nodes: about twice the throughput");
    }
    return new Finding.Ok(
        bind
            + " on "
            + found.name()
            + ", datagrams of "
            + mtuBytes
            + " in an MTU of "
            + found.mtuBytes());
  }

  private Finding loopback(Interface found) {
    List<String> elsewhere = seeds.stream().filter(seed -> !isLoopback(seed)).toList();
    if (!elsewhere.isEmpty()) {
      return new Finding.Warn(
          "KVA-0711 other hosts cannot reach this node - cluster.bind="
              + bind
              + " seeds="
              + String.join(",", elsewhere),
          "set cluster.bind to the address by which the seeds reach this machine");
    }
    return new Finding.Ok(
        bind + " on " + found.name() + ", this machine only, datagrams of " + mtuBytes);
  }

  private static boolean isLoopback(String seed) {
    return seed.startsWith("127.") || seed.startsWith("localhost:") || seed.startsWith("[::1]");
  }
}
