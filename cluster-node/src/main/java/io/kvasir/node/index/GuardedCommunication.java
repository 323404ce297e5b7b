package io.kvasir.node.index;

import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;
import org.apache.ignite.IgniteCheckedException;
import org.apache.ignite.IgniteException;
import org.apache.ignite.internal.IgniteInternalFuture;
import org.apache.ignite.internal.util.nio.GridNioFilter;
import org.apache.ignite.internal.util.nio.GridNioFilterAdapter;
import org.apache.ignite.internal.util.nio.GridNioSession;
import org.apache.ignite.internal.util.nio.GridNioSessionMetaKey;
import org.apache.ignite.lang.IgniteInClosure;
import org.apache.ignite.spi.IgniteSpiException;
import org.apache.ignite.spi.IgniteSpiMultipleInstancesSupport;
import org.apache.ignite.spi.communication.tcp.TcpCommunicationSpi;
import org.jspecify.annotations.Nullable;

/**
 * Ignite's messages between members, behind a gate: until a connection has named a member that it
 * comes from, nothing of it is parsed but that name. Ignite alone would parse any type of message
 * from anyone, allocate arrays of any length that the bytes claim, and hold up all index messages
 * for a second whenever that fails.
 *
 * <p>Ids of members are random, so a stranger does not guess one; who can listen to the members
 * can.
 */
@IgniteSpiMultipleInstancesSupport(true)
final class GuardedCommunication extends TcpCommunicationSpi {
  private static final String[] CHAIN_FIELDS = {"nioSrvWrapper", "nioSrv", "filterChain", "head"};

  @Override
  public void spiStart(final String igniteInstanceName) {
    super.spiStart(igniteInstanceName);
    // The chain goes head, check of the first four bytes, codec; Ignite has no setting for more.
    final GridNioFilter head = headOfFilters();
    final GridNioFilter check = head.previousFilter();
    final GridNioFilter codec = check.previousFilter();
    final GridNioFilter gate = new Gate();
    gate.nextFilter(check);
    gate.previousFilter(codec);
    codec.nextFilter(gate);
    check.previousFilter(gate);
  }

  private GridNioFilter headOfFilters() {
    Object part = this;
    Class<?> type = TcpCommunicationSpi.class;
    try {
      for (final String name : CHAIN_FIELDS) {
        final Field field = type.getDeclaredField(name);
        field.setAccessible(true);
        part = field.get(part);
        type = part.getClass();
      }
      return (GridNioFilter) part;
    } catch (final ReflectiveOperationException | ClassCastException e) {
      throw new IgniteSpiException(
          "KVA-0313 this version of Ignite has other parts - class=" + type.getName(), e);
    }
  }

  /** The id is that of a member, or of one that is just joining. */
  private boolean isMember(final UUID id) {
    return getSpiContext().node(id) != null;
  }

  /** Lets the introduction of a connection through, and the rest if it is a member's. */
  private final class Gate extends GridNioFilterAdapter {
    private static final short HANDSHAKE_TYPE = -3;

    /** Numbers behind the type and the id of the node: received, connection count and index. */
    private static final int NUMBERS = 3;

    private static final int NUMBER_BYTES_MAX = 10;
    private static final int SENDER = GridNioSessionMetaKey.nextUniqueKey();

    private Gate() {
      super("KvasirGate");
    }

    @Override
    public void onMessageReceived(final GridNioSession session, final Object message)
        throws IgniteCheckedException {
      final ByteBuffer bytes = (ByteBuffer) message;
      final @Nullable UUID sender = session.meta(SENDER);
      // Asked each time: Ignite may accept one that joins between the gate's look and its own.
      if (!session.accepted() || (sender != null && isMember(sender))) {
        proceedMessageReceived(session, bytes);
      } else if (sender != null) {
        bytes.position(bytes.limit());
      } else {
        introduce(session, bytes);
      }
    }

    private void introduce(final GridNioSession session, final ByteBuffer bytes)
        throws IgniteCheckedException {
      final ByteBuffer fields = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
      if (fields.remaining() >= Short.BYTES && fields.getShort() != HANDSHAKE_TYPE) {
        bytes.position(bytes.limit());
        session.close();
        return;
      }
      if (fields.remaining() < 1 + 2 * Long.BYTES) {
        return; // what is left in the buffer comes again with more behind it
      }
      if (fields.get() != 0) { // there is no id
        bytes.position(bytes.limit());
        session.close();
        return;
      }
      final UUID id = new UUID(fields.getLong(), fields.getLong());
      if (!skipNumbers(fields)) {
        return;
      }
      session.addMeta(SENDER, id);
      final boolean isMember = isMember(id);
      final int limit = bytes.limit();
      if (!isMember) {
        // Ignite answers that it does not know the sender, or that it shall wait, and hangs up.
        bytes.limit(fields.position());
      }
      proceedMessageReceived(session, bytes);
      if (!isMember) {
        bytes.limit(limit).position(limit);
      }
    }

    /** Seven bits in each byte, the lowest first; the high bit says that there are more. */
    private static boolean skipNumbers(final ByteBuffer fields) {
      for (int number = 0; number < NUMBERS; number++) {
        int bytes = 0;
        byte last = -1;
        while (last < 0 && bytes < NUMBER_BYTES_MAX) {
          if (!fields.hasRemaining()) {
            return false;
          }
          last = fields.get();
          bytes++;
        }
      }
      return true;
    }

    @Override
    public void onSessionOpened(final GridNioSession session) throws IgniteCheckedException {
      proceedSessionOpened(session);
    }

    @Override
    public void onSessionClosed(final GridNioSession session) throws IgniteCheckedException {
      proceedSessionClosed(session);
    }

    @Override
    public void onExceptionCaught(final GridNioSession session, final IgniteCheckedException e)
        throws IgniteCheckedException {
      proceedExceptionCaught(session, e);
    }

    @Override
    public IgniteInternalFuture<?> onSessionWrite(
        final GridNioSession session,
        final Object message,
        final boolean future,
        final IgniteInClosure<IgniteException> onAck)
        throws IgniteCheckedException {
      return proceedSessionWrite(session, message, future, onAck);
    }

    @Override
    public IgniteInternalFuture<Boolean> onSessionClose(final GridNioSession session)
        throws IgniteCheckedException {
      return proceedSessionClose(session);
    }

    @Override
    public void onSessionIdleTimeout(final GridNioSession session) throws IgniteCheckedException {
      proceedSessionIdleTimeout(session);
    }

    @Override
    public void onSessionWriteTimeout(final GridNioSession session) throws IgniteCheckedException {
      proceedSessionWriteTimeout(session);
    }
  }
}
