package io.kvasir.cli.doctor;

import java.io.IOException;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.util.Locale;

/**
 * Whether a port is free.
 *
 * @param name of the check
 * @param key configuration key of the port
 * @param bind address to bind
 * @param port 0 for any
 * @param usedByNode port that a node with this very run directory uses for this now, 0 for none
 */
record PortCheck(String name, String key, Protocol protocol, String bind, int port, int usedByNode)
    implements Check {
  /** What listens there. */
  enum Protocol {
    TCP,
    UDP
  }

  @Override
  public Finding run() throws IOException {
    if (port == 0) {
      return new Finding.Ok("any free " + protocol + " port");
    }
    String where = protocol + " " + bind + ":" + port;
    if (port == usedByNode) {
      return new Finding.Ok(where + ", in use by this node");
    }
    try {
      tryToBind(new InetSocketAddress(InetAddress.getByName(bind), port));
      return new Finding.Ok(where + " is free");
    } catch (SocketException | UnknownHostException e) {
      String option = protocol.name().substring(0, 1).toLowerCase(Locale.ROOT);
      return new Finding.Fail(
          "KVA-0708 the port cannot be bound - " + key + "=" + where + " cause=" + e.getMessage(),
          "find who has it (ss -"
              + option
              + "lnp 'sport = :"
              + port
              + "'), or choose another "
              + key);
    }
  }

  private void tryToBind(InetSocketAddress address) throws IOException {
    switch (protocol) {
      case TCP -> {
        try (ServerSocket socket = new ServerSocket()) {
          socket.setReuseAddress(true);
          socket.bind(address);
        }
      }
      case UDP -> {
        try (DatagramSocket socket = new DatagramSocket(null)) {
          socket.bind(address);
        }
      }
    }
  }
}
