package io.kvasir.transport;

import java.net.InetAddress;
import java.net.UnknownHostException;
import org.jspecify.annotations.Nullable;

/**
 * A numeric {@code address:port} or {@code [address]:port}. Names are not accepted from peers:
 * resolving one would block the lane.
 */
record Endpoint(String address, int port) {
  static final int LENGTH_MAX = 64;

  /** The endpoint of a text, or null if it is no numeric address with a port. */
  static @Nullable Endpoint parse(String text) {
    int colon = text.lastIndexOf(':');
    if (text.length() > LENGTH_MAX || colon <= 0 || colon == text.length() - 1) {
      return null;
    }
    String address = text.substring(0, colon);
    int port = port(text, colon + 1);
    if (port <= 0 || !isNumeric(address)) {
      return null;
    }
    return new Endpoint(address, port);
  }

  /** The numeric form of a configured address or name; resolves names. */
  static String numericAddress(String bindAddress) throws UnknownHostException {
    InetAddress address = InetAddress.getByName(bindAddress);
    String numeric = address.getHostAddress();
    return numeric.indexOf(':') >= 0 ? "[" + numeric + "]" : numeric;
  }

  private static int port(String text, int from) {
    int port = 0;
    for (int i = from; i < text.length(); i++) {
      int digit = text.charAt(i) - '0';
      if (digit < 0 || digit > 9 || port > 65_535) {
        return -1;
      }
      port = port * 10 + digit;
    }
    return port <= 65_535 ? port : -1;
  }

  private static boolean isNumeric(String address) {
    boolean bracketed = address.startsWith("[") && address.endsWith("]");
    String inner = bracketed ? address.substring(1, address.length() - 1) : address;
    for (int i = 0; i < inner.length(); i++) {
      char c = inner.charAt(i);
      boolean good = bracketed ? c == ':' || c == '.' || isHex(c) : c == '.' || isDigit(c);
      if (!good) {
        return false;
      }
    }
    try {
      // Only digits, dots and colons are left, so this parses and never asks a resolver.
      return bracketed == (inner.indexOf(':') >= 0)
          && (bracketed || inner.split("\\.", -1).length == 4)
          && InetAddress.getByName(inner) != null;
    } catch (UnknownHostException e) {
      return false;
    }
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  private static boolean isHex(char c) {
    return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  }

  @Override
  public String toString() {
    return address + ":" + port;
  }
}
