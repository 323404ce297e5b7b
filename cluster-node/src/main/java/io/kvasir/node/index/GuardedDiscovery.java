package io.kvasir.node.index;

import java.io.IOException;
import java.io.ObjectInputFilter;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.ServerSocket;
import java.util.Set;
import java.util.UUID;
import java.util.function.Supplier;
import org.apache.ignite.IgniteCheckedException;
import org.apache.ignite.IgniteException;
import org.apache.ignite.lang.IgniteUuid;
import org.apache.ignite.marshaller.IgniteMarshallerClassFilter;
import org.apache.ignite.marshaller.IgniteObjectInputFilter;
import org.apache.ignite.marshaller.MarshallerUtils;
import org.apache.ignite.plugin.extensions.communication.Message;
import org.apache.ignite.plugin.extensions.communication.MessageFactory;
import org.apache.ignite.plugin.extensions.communication.MessageReader;
import org.apache.ignite.plugin.extensions.communication.MessageSerializer;
import org.apache.ignite.plugin.extensions.communication.MessageWriter;
import org.apache.ignite.spi.IgniteSpiException;
import org.apache.ignite.spi.IgniteSpiMultipleInstancesSupport;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoveryIoSession;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;
import org.apache.ignite.spi.discovery.tcp.messages.TcpDiscoveryHandshakeRequest;
import org.jspecify.annotations.Nullable;

/**
 * Membership, with bounds on what a stranger can make a node allocate. Ignite alone allocates
 * whatever length the bytes of a connection claim, before it knows who speaks: a few bytes cost the
 * heap. Here a connection that has not named a member may send messages without strings, arrays and
 * collections (greetings and pings have none), and serialised objects (a request to join) with
 * arrays of bounded length. Connections are bounded by {@link BoundedServerSocket}.
 */
@IgniteSpiMultipleInstancesSupport(true)
final class GuardedDiscovery extends TcpDiscoverySpi {
  private static final String READER_THREAD = "$SocketReader";
  private static final String CONNECTED = "CONNECTED";

  /** Whether the connection that this thread reads has named a member. */
  private static final ThreadLocal<Boolean> IS_MEMBER = ThreadLocal.withInitial(() -> false);

  /** Bounds what any connection can make Java serialisation allocate; once per JVM. */
  static synchronized void boundSerialisation() {
    if (ObjectInputFilter.Config.getSerialFilter() == null) {
      try {
        ObjectInputFilter.Config.setSerialFilter(
            new Bounded(MarshallerUtils.classNameFilter(GuardedDiscovery.class.getClassLoader())));
      } catch (final IgniteCheckedException e) {
        throw new IndexException("KVA-0314 no filter for objects - cause=" + e.getMessage(), e);
      }
    }
  }

  /** Ignite calls this between opening its listening socket and accepting from it. */
  @Override
  protected void initLocalNode(final int port, final boolean addExternalAddresses) {
    super.initLocalNode(port, addExternalAddresses);
    final Object ring = impl;
    Class<?> type = ring.getClass();
    try {
      final Field server = type.getDeclaredField("tcpSrvr");
      server.setAccessible(true);
      final Object acceptor = server.get(ring);
      type = acceptor.getClass();
      final Field socket = type.getDeclaredField("srvrSock");
      socket.setAccessible(true);
      socket.set(acceptor, new BoundedServerSocket((ServerSocket) socket.get(acceptor)));
    } catch (final ReflectiveOperationException | ClassCastException | IOException e) {
      throw new IgniteSpiException(
          "KVA-0313 this version of Ignite has other parts - class=" + type.getName(), e);
    }
  }

  @Override
  public MessageFactory messageFactory() {
    return new Guarded(super.messageFactory());
  }

  @Override
  @SuppressWarnings("TypeParameterUnusedInFormals") // Ignite's signature
  protected <T> T readMessage(final TcpDiscoveryIoSession session, final long timeout)
      throws IOException, IgniteCheckedException {
    final T message = super.readMessage(session, timeout);
    if (message instanceof final TcpDiscoveryHandshakeRequest greeting && isReader()) {
      // A node that is joining knows nobody yet, and its ring connects to it.
      IS_MEMBER.set(!isConnected() || getNode0(greeting.creatorNodeId()) != null);
    }
    return message;
  }

  private boolean isStranger() {
    return isReader() && !IS_MEMBER.get() && isConnected();
  }

  private boolean isConnected() {
    return CONNECTED.equals(getSpiState());
  }

  /** Ignite has one thread per connection that it accepted. */
  private static boolean isReader() {
    return Thread.currentThread().getClass().getName().endsWith(READER_THREAD);
  }

  /** Ignite's filter by class, and bounds. */
  private static final class Bounded extends IgniteObjectInputFilter {
    private static final long OBJECTS_MAX = 1 << 16;
    private static final long NUMBERS_MAX = 1 << 20;
    private static final long DEPTH_MAX = 64;

    private Bounded(final IgniteMarshallerClassFilter classes) {
      super(classes);
    }

    @Override
    public Status checkInput(final FilterInfo info) {
      final Class<?> type = info.serialClass();
      final boolean isOfNumbers =
          type != null && type.isArray() && type.getComponentType().isPrimitive();
      return info.depth() > DEPTH_MAX
              || info.arrayLength() > (isOfNumbers ? NUMBERS_MAX : OBJECTS_MAX)
          ? Status.REJECTED
          : super.checkInput(info);
    }
  }

  /** Ignite's messages, read with bounds when a stranger sends them. */
  private final class Guarded implements MessageFactory {
    private final MessageFactory messages;

    private Guarded(final MessageFactory messages) {
      this.messages = messages;
    }

    @Override
    public void register(final short type, final Supplier<Message> supplier) {
      messages.register(type, supplier);
    }

    @Override
    public void register(
        final short type, final Supplier<Message> supplier, final MessageSerializer serializer) {
      messages.register(type, supplier, serializer);
    }

    @Override
    public Message create(final short type) {
      return messages.create(type);
    }

    @Override
    public MessageSerializer serializer(final short type) {
      final MessageSerializer serializer = messages.serializer(type);
      return isStranger() ? new FixedSizeOnly(serializer) : serializer;
    }
  }

  /** Reads messages whose fields of variable size are all absent or empty. */
  private record FixedSizeOnly(MessageSerializer serializer) implements MessageSerializer {
    private static final Set<Class<?>> FIXED =
        Set.of(
            byte.class,
            short.class,
            int.class,
            long.class,
            float.class,
            double.class,
            char.class,
            boolean.class,
            void.class,
            UUID.class,
            IgniteUuid.class);

    @Override
    public boolean writeTo(final Message message, final MessageWriter writer) {
      return serializer.writeTo(message, writer);
    }

    @Override
    public boolean readFrom(final Message message, final MessageReader reader) {
      final Object bounded =
          Proxy.newProxyInstance(
              MessageReader.class.getClassLoader(),
              new Class<?>[] {MessageReader.class},
              (_, method, arguments) -> read(reader, method, arguments));
      return serializer.readFrom(message, (MessageReader) bounded);
    }

    /** Every field of variable size starts with its size; one that is absent has -1. */
    private static @Nullable Object read(
        final MessageReader reader, final Method method, final @Nullable Object[] arguments)
        throws Throwable {
      if (FIXED.contains(method.getReturnType())) {
        try {
          return method.invoke(reader, arguments);
        } catch (final InvocationTargetException e) {
          throw e.getCause() == null ? e : e.getCause();
        }
      }
      if (reader.readInt() > 0 && reader.isLastRead()) {
        throw new IgniteException("a stranger sent " + method.getName());
      }
      return null;
    }
  }
}
