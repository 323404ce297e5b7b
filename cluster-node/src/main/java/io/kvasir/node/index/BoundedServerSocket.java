package io.kvasir.node.index;

import java.io.IOException;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;

/**
 * A listening socket that accepts for another one, with bounds: so many connections at a time, and
 * small system buffers. Ignite's discovery allocates as much heap per connection as the system has
 * buffers for it, 2.5 MiB on loopback, before a byte has arrived; 80 silent connections took a heap
 * of 192 MiB. The members of a ring keep one or two connections each way, and greet seldom.
 *
 * <p>One thread accepts; any may close.
 */
final class BoundedServerSocket extends ServerSocket {
  private static final int CONNECTIONS_MAX = 256;

  /** Linux grants twice of it. */
  private static final int BUFFER_BYTES = 32 << 10;

  private final ServerSocket listener;
  private final List<Socket> accepted = new ArrayList<>();

  BoundedServerSocket(final ServerSocket listener) throws IOException {
    this.listener = listener;
  }

  /** Waits for a connection that is within the bounds; others are hung up on. */
  @Override
  public Socket accept() throws IOException {
    while (true) {
      final Socket connection = listener.accept();
      accepted.removeIf(Socket::isClosed);
      if (accepted.size() < CONNECTIONS_MAX && hasSmallBuffers(connection)) {
        accepted.add(connection);
        return connection;
      }
      connection.close();
    }
  }

  /** False if the other side is gone: an exception out of accept would end Ignite. */
  private static boolean hasSmallBuffers(final Socket connection) {
    try {
      connection.setSendBufferSize(BUFFER_BYTES);
      connection.setReceiveBufferSize(BUFFER_BYTES);
      return true;
    } catch (final IOException _) {
      return false;
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
    super.close();
  }
}
