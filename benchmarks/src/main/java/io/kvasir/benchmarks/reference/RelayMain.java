package io.kvasir.benchmarks.reference;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;

/**
 * Entry point of one process of {@link UdpRing}: prints its port and passes every datagram on to
 * the port that is its argument, until standard input closes.
 */
final class RelayMain {
  private RelayMain() {}

  public static void main(String[] args) throws IOException {
    int nextPort = Integer.parseInt(args[0]);
    try (DatagramSocket socket = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
      Thread.ofPlatform().daemon().name("bench-relay").start(() -> relay(socket, nextPort));
      System.out.println(socket.getLocalPort());
      while (System.in.read() >= 0) {
        // Commands there are none.
      }
    }
  }

  private static void relay(DatagramSocket socket, int nextPort) {
    DatagramPacket datagram = new DatagramPacket(new byte[UdpRing.DATAGRAM_BYTES], 0);
    try {
      while (!socket.isClosed()) {
        datagram.setLength(UdpRing.DATAGRAM_BYTES);
        socket.receive(datagram);
        datagram.setAddress(InetAddress.getLoopbackAddress());
        datagram.setPort(nextPort);
        socket.send(datagram);
      }
    } catch (IOException e) {
      if (!socket.isClosed()) {
        System.err.println("KVA-0659 a relay of udp-ring ended - " + e.getMessage());
      }
    }
  }
}
