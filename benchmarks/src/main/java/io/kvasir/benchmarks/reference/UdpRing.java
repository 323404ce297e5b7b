package io.kvasir.benchmarks.reference;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;

/**
 * A datagram that is passed on by processes which do nothing else: what this machine takes to wake
 * so many processes one after another, and so the least that an answer over as many can take.
 */
public final class UdpRing implements AutoCloseable {
  static final int DATAGRAM_BYTES = 64;
  private static final int TIMEOUT_MILLIS = 5_000;

  private final List<ReferenceProcess> relays = new ArrayList<>();
  private final DatagramSocket socket;
  private final DatagramPacket datagram = new DatagramPacket(new byte[DATAGRAM_BYTES], 0);
  private int firstPort;

  /** Starts so many processes. */
  public UdpRing(int processes) throws IOException {
    socket = new DatagramSocket(0, InetAddress.getLoopbackAddress());
    try {
      socket.setSoTimeout(TIMEOUT_MILLIS);
      firstPort = socket.getLocalPort();
      for (int i = 0; i < processes; i++) {
        ReferenceProcess relay =
            new ReferenceProcess(RelayMain.class, List.of(Integer.toString(firstPort)));
        relays.add(relay);
        firstPort = Integer.parseInt(relay.answer());
      }
    } catch (IOException | RuntimeException e) {
      close();
      throw e;
    }
  }

  /**
   * Sends a datagram round; the nanoseconds until it is back.
   *
   * @throws java.net.SocketTimeoutException if it was lost
   */
  public long lapNs() throws IOException {
    datagram.setAddress(InetAddress.getLoopbackAddress());
    datagram.setPort(firstPort);
    datagram.setLength(DATAGRAM_BYTES);
    long startNs = System.nanoTime();
    socket.send(datagram);
    socket.receive(datagram);
    return System.nanoTime() - startNs;
  }

  @Override
  public void close() throws IOException {
    socket.close();
    for (ReferenceProcess relay : relays) {
      relay.close();
    }
  }
}
