package io.kvasir.cli.doctor;

import io.kvasir.cli.text.Sizes;
import java.io.IOException;
import java.util.OptionalLong;

/**
 * Whether the kernel grants UDP sockets buffers of the receiver window: a smaller window makes
 * transfers slower, one below a datagram makes them impossible.
 *
 * @param windowBytes receiver window that is wanted
 * @param mtuBytes largest datagram
 */
record SocketBufferCheck(HostFiles files, int windowBytes, int mtuBytes) implements Check {
  private static final String RECEIVE = "net.core.rmem_max";
  private static final String SEND = "net.core.wmem_max";

  @Override
  public String name() {
    return "socket-buffers";
  }

  @Override
  public Finding run() throws IOException {
    OptionalLong receive = sysctl(RECEIVE);
    OptionalLong send = sysctl(SEND);
    String mend =
        "sysctl -w "
            + wanted(RECEIVE)
            + " "
            + wanted(SEND)
            + ", and the same in /etc/sysctl.d/kvasir.conf";
    if (receive.isEmpty() || send.isEmpty()) {
      return new Finding.Warn(
          "KVA-0709 the limits are not visible here, as in some containers",
          "on the host: " + mend);
    }
    String found = RECEIVE + "=" + receive.getAsLong() + " " + SEND + "=" + send.getAsLong();
    long smaller = Math.min(receive.getAsLong(), send.getAsLong());
    if (smaller < mtuBytes) {
      return new Finding.Fail(
          "KVA-0709 no datagram fits - " + found + " (limit=" + mtuBytes + ", transport.mtu)",
          mend);
    }
    if (smaller < windowBytes) {
      return new Finding.Warn(
          "KVA-0709 below transport.window-bytes - " + found + " (limit=" + windowBytes + ")",
          mend);
    }
    return new Finding.Ok(found + ", window " + Sizes.text(windowBytes));
  }

  private OptionalLong sysctl(String name) throws IOException {
    return files.number("proc/sys/" + name.replace('.', '/'));
  }

  private String wanted(String name) {
    return name + "=" + Math.max(windowBytes, mtuBytes);
  }
}
