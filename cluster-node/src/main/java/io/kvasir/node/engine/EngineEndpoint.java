package io.kvasir.node.engine;

import io.kvasir.connectors.protocol.ErrorCode;
import io.kvasir.connectors.protocol.MessageType;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import jdk.net.ExtendedSocketOptions;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The Unix-domain socket that local engines talk to ({@code docs/spec/engine-protocol.md}). Accepts
 * sockets of the node's own user, up to a limit, and runs their sessions. Opened by anyone, then
 * node agent only.
 */
public final class EngineEndpoint implements AutoCloseable {
  /** Name of the socket in the run directory. */
  public static final String SOCKET_NAME = "engine.sock";

  static final Logger LOG = LoggerFactory.getLogger(EngineEndpoint.class);
  static final int SESSIONS_MAX = 64;
  static final long PING_AFTER_NS = TimeUnit.SECONDS.toNanos(10);
  static final long SILENCE_MAX_NS = TimeUnit.SECONDS.toNanos(30);

  /** Whoever does not say HELLO takes a place from an engine. */
  static final long HELLO_MAX_NS = TimeUnit.SECONDS.toNanos(5);

  private static final long TIMER_NS = TimeUnit.SECONDS.toNanos(1);
  private static final long AWAIT_INDEX_NS = TimeUnit.SECONDS.toNanos(1);
  private static final int ACCEPTS_MAX = 16;

  /** Long frames of all sessions together stay below this part of the heap. */
  private static final int HEAP_SHARE = 4;

  private static final long BIG_BUFFER_BYTES = 1 << 20;

  private record AwaitedCommit(CommitOperation operation, long untilNs) {}

  private final EngineServices services;
  private final Path path;
  private final ServerSocketChannel server;
  private final SelectionKey serverKey;
  private final UserPrincipal user;
  private final EngineInstances instances;
  private final EngineRequests requests;
  private final EngineCounters counters = new EngineCounters();
  private final List<EngineSession> sessions = new ArrayList<>();
  private final List<EngineSession> dirty = new ArrayList<>();
  private final ArrayDeque<AwaitedCommit> awaitedCommits = new ArrayDeque<>();
  private long lastSessionId;
  private long nextTimerNs;

  private EngineEndpoint(
      final EngineServices services,
      final Path path,
      final ServerSocketChannel server,
      final Selector selector,
      final UserPrincipal user)
      throws IOException {
    this.services = services;
    this.path = path;
    this.server = server;
    this.user = user;
    this.instances = new EngineInstances(services.store(), services.handoffs());
    this.requests = new EngineRequests(this, services);
    this.nextTimerNs = services.clock().nanoTime() + TIMER_NS;
    this.serverKey = server.register(selector, SelectionKey.OP_ACCEPT);
  }

  /**
   * Binds the socket. The caller holds the lock of the run directory, so a socket file that lies
   * there is a dead node's and is replaced.
   *
   * @param selector whoever runs it hands the keys to {@link #selected}
   * @throws IOException if the socket cannot be bound
   */
  public static EngineEndpoint open(
      final Path runDirectory, final Selector selector, final EngineServices services)
      throws IOException {
    final Path path = runDirectory.resolve(SOCKET_NAME);
    Files.deleteIfExists(path);
    final ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      server.bind(UnixDomainSocketAddress.of(path), SESSIONS_MAX);
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
      server.configureBlocking(false);
      final UserPrincipal user = Files.getOwner(Path.of("/proc/self"));
      return new EngineEndpoint(services, path, server, selector, user);
    } catch (final IOException e) {
      server.close();
      throw e;
    }
  }

  /** Where engines connect. */
  public Path path() {
    return path;
  }

  /** Sockets open now. */
  public int sessions() {
    return sessions.size();
  }

  /** Engine instances that have a socket open. */
  public int engines() {
    return instances.size();
  }

  public EngineCounters counters() {
    return counters;
  }

  /** Handles a key that the selector selected. */
  public void selected(final SelectionKey key) {
    if (key.equals(serverKey)) {
      accept();
      return;
    }
    final EngineSession session = (EngineSession) key.attachment();
    if (key.isValid() && key.isWritable()) {
      session.flush();
    }
    if (key.isValid() && key.isReadable()) {
      session.readable(requests, services.clock().nanoTime());
    }
  }

  /** Sends answers that came from elsewhere and looks after silent sockets. */
  public int doWork(final long nowNs) {
    int work = dirty.size();
    for (int i = 0; i < dirty.size(); i++) {
      dirty.get(i).flush();
    }
    dirty.clear();
    while (!awaitedCommits.isEmpty() && awaitedCommits.peekFirst().untilNs() - nowNs <= 0) {
      awaitedCommits.removeFirst().operation().indexTooLate();
      work++;
    }
    if (nowNs - nextTimerNs >= 0) {
      nextTimerNs = nowNs + TIMER_NS;
      for (int i = sessions.size() - 1; i >= 0; i--) {
        sessions.get(i).checkLiveness(nowNs);
      }
    }
    return work;
  }

  /** Nanoseconds until {@link #doWork} has something to do by the clock. */
  public long untilTimerNs(final long nowNs) {
    final AwaitedCommit first = awaitedCommits.peekFirst();
    final long timerNs = nextTimerNs - nowNs;
    return first == null ? timerNs : Math.min(timerNs, first.untilNs() - nowNs);
  }

  /** Tells the engines, closes all sessions, removes the socket. Idempotent. */
  @Override
  public void close() throws IOException {
    final byte[] draining = "{\"state\":\"draining\"}".getBytes(StandardCharsets.UTF_8);
    for (final EngineSession session : List.copyOf(sessions)) {
      if (session.instance() != null) {
        session.json(MessageType.NODE_STATE, 0, draining);
      }
      session.closeAfterFlush();
      session.flush();
    }
    server.close();
    Files.deleteIfExists(path);
  }

  EngineServices services() {
    return services;
  }

  EngineInstances instances() {
    return instances;
  }

  /** The session has something to send. */
  void dirty(final EngineSession session) {
    dirty.add(session);
  }

  void closed(final EngineSession session) {
    counters.sessionsClosed++;
    sessions.remove(session);
  }

  /** The commit waits for the index no longer than a second. */
  void awaitIndex(final CommitOperation operation) {
    awaitedCommits.addLast(
        new AwaitedCommit(operation, services.clock().nanoTime() + AWAIT_INDEX_NS));
  }

  /** Refuses a session whose long frames would take too much memory together with the others'. */
  void checkMemory(final EngineSession session) {
    if (session.bufferedBytes() < BIG_BUFFER_BYTES) {
      return;
    }
    long bytes = 0;
    for (final EngineSession each : sessions) {
      bytes += each.bufferedBytes();
    }
    if (bytes > Runtime.getRuntime().maxMemory() / HEAP_SHARE) {
      session.error(0, ErrorCode.TOO_MANY, "bytes of unfinished frames on all sockets", true);
    }
  }

  private void accept() {
    for (int i = 0; i < ACCEPTS_MAX; i++) {
      final SocketChannel channel;
      try {
        channel = server.accept();
      } catch (final IOException e) {
        LOG.warn("KVA-0511 engine socket not accepted - cause={}; see ulimit -n", e.toString());
        return;
      }
      if (channel == null) {
        return;
      }
      try {
        open(channel);
      } catch (final IOException e) {
        LOG.debug("engine left while it was accepted", e);
        closeQuietly(channel);
      }
    }
  }

  private void open(final SocketChannel channel) throws IOException {
    channel.configureBlocking(false);
    final SelectionKey key = channel.register(serverKey.selector(), SelectionKey.OP_READ);
    final EngineSession session =
        new EngineSession(this, ++lastSessionId, channel, key, services.clock().nanoTime());
    key.attach(session);
    sessions.add(session);
    counters.sessionsOpened++;
    final ErrorCode refusal = refusal(channel);
    if (refusal != null) {
      counters.sessionsRefused++;
      session.error(0, refusal, "sockets (limit=" + SESSIONS_MAX + "), of the node's user", true);
      session.flush();
    }
  }

  private @Nullable ErrorCode refusal(final SocketChannel channel) throws IOException {
    if (!channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user().equals(user)) {
      return ErrorCode.FORBIDDEN;
    }
    return sessions.size() > SESSIONS_MAX ? ErrorCode.TOO_MANY : null;
  }

  private static void closeQuietly(final SocketChannel channel) {
    try {
      channel.close();
    } catch (final IOException e) {
      LOG.debug("closing engine socket failed", e);
    }
  }
}
