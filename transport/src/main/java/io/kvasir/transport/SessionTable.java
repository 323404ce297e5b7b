package io.kvasir.transport;

import io.aeron.Aeron;
import io.aeron.Image;
import io.aeron.exceptions.AeronException;
import io.aeron.status.PublicationErrorFrame;
import io.kvasir.transport.Counters.Counter;
import io.kvasir.transport.Session.CloseReason;
import io.kvasir.transport.codec.HelloAckDecoder;
import io.kvasir.transport.codec.HelloDecoder;
import java.util.ArrayList;
import java.util.Collection;
import java.util.function.Consumer;
import org.agrona.collections.Long2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * All sessions and all inbound streams of a lane, and the rules by which streams become sessions.
 * Lane thread only.
 */
final class SessionTable implements ControlReader.Handshakes, DataReader.Binding {
  /** A stream must introduce itself within this time. */
  private static final long INTRODUCTION_NS = 1_000_000_000L;

  private static final int CONTROL_FRAGMENTS = 16;
  private static final int DATA_FRAGMENTS = 8;

  private final LaneContext context;
  private final Consumer<Pull> onPullEnded;
  private final ControlReader controlReader;
  private final DataReader dataReader = new DataReader(this);
  private final Long2ObjectHashMap<Session> byPeer = new Long2ObjectHashMap<>();
  private final ArrayList<Session> sessions = new ArrayList<>();
  private final ArrayList<Inbound> inbounds = new ArrayList<>();
  private final ArrayList<Pull> retries = new ArrayList<>();
  private @Nullable Aeron aeron;
  private Session.@Nullable Wiring wiring;
  private long nowNs;

  SessionTable(LaneContext context, Consumer<Pull> onPullEnded) {
    this.context = context;
    this.onPullEnded = onPullEnded;
    this.controlReader = new ControlReader(this, context);
  }

  /** From now on sessions use this client. */
  void attach(Aeron client, Session.Wiring how) {
    aeron = client;
    wiring = how;
  }

  /** Aeron is gone: ends every session. */
  void detach(CloseReason reason) {
    while (!sessions.isEmpty()) {
      close(sessions.getLast(), reason);
    }
    inbounds.clear();
    context.counters.set(Counter.IMAGES, 0);
    aeron = null;
  }

  Collection<Session> all() {
    return sessions;
  }

  // Pulls.

  /** Starts a pull, or fails it at once. */
  void pull(Pull pull, long now) {
    PullRequest request = pull.request;
    Endpoint endpoint = Endpoint.parse(request.peerEndpoint());
    Session session = endpoint == null ? null : sessionAt(request.peerNodeId(), endpoint, now);
    if (session == null || session.isSuspect()) {
      // Where no session can be had at all the peer is not to blame.
      PullFailure reason =
          session == null && !mayDial()
              ? PullFailure.OVERLOADED
              : session != null && session.isOpen() ? PullFailure.SILENT : PullFailure.UNREACHABLE;
      context.counters.add(Counter.CHUNKS_FAILED, pull.failAll(reason));
      onPullEnded.accept(pull);
    } else {
      session.pulls.add(pull);
    }
  }

  /** Tells the holder, if there still is a session with it. */
  void doubt(Doubt about) {
    Session session = byPeer.get(about.peerNodeId());
    if (session != null) {
      session.doubt(about);
    }
  }

  /** Sends a question, dialling the peer if need be; the others if the session still stands. */
  void note(Note note, long now) {
    String where = note.endpoint();
    Endpoint endpoint = where == null ? null : Endpoint.parse(where);
    Session session =
        endpoint == null
            ? byPeer.get(note.peerNodeId())
            : sessionAt(note.peerNodeId(), endpoint, now);
    if (session != null) {
      session.note(note, now);
    } else if (note.kind() != Note.Kind.REMARK) {
      context.counters.increment(Counter.NOTES_DROPPED);
    }
  }

  /** The session with the peer at this address, dialled if there is none. */
  private @Nullable Session sessionAt(long peerNodeId, Endpoint endpoint, long now) {
    Session session = byPeer.get(peerNodeId);
    if (session != null && !session.endpoint.equals(endpoint)) {
      // The peer was restarted elsewhere, or the caller's view is old: the new address is tried.
      close(session, CloseReason.REPLACED);
      session = null;
    }
    return session != null ? session : dial(peerNodeId, endpoint, now);
  }

  private boolean mayDial() {
    return aeron != null && wiring != null && sessions.size() < context.config.maxSessions();
  }

  private @Nullable Session dial(long peerNodeId, Endpoint endpoint, long now) {
    Aeron client = aeron;
    Session.Wiring how = wiring;
    if (client == null
        || how == null
        || peerNodeId == context.identity.nodeId()
        || sessions.size() == context.config.maxSessions()) {
      return null;
    }
    try {
      Session session = new Session(peerNodeId, endpoint, context, client, how, onPullEnded, now);
      sessions.add(session);
      byPeer.put(peerNodeId, session);
      return session;
    } catch (AeronException e) {
      // The client gave up in this very turn; the lane sees that in the next one.
      return null;
    }
  }

  // Turns.

  int doWork(long now) {
    nowNs = now;
    int work = 0;
    for (int i = 0; i < inbounds.size(); i++) {
      work += poll(inbounds.get(i));
    }
    for (int i = 0; i < sessions.size(); i++) {
      work += sessions.get(i).doWork(now);
    }
    for (int i = sessions.size() - 1; i >= 0; i--) {
      CloseReason reason = sessions.get(i).pendingClose();
      if (reason != null) {
        close(sessions.get(i), reason);
      }
    }
    while (!retries.isEmpty()) {
      pull(retries.removeLast(), now);
    }
    return work;
  }

  private int poll(Inbound inbound) {
    if (inbound.refuseIfCondemned()) {
      context.counters.increment(Counter.STRANGERS_REFUSED);
      return 1;
    }
    // One that is refused is read on, and what it says dropped: Aeron keeps the logs of an image
    // until all that has arrived is read.
    return inbound.isControl
        ? controlReader.poll(inbound, CONTROL_FRAGMENTS, nowNs)
        : dataReader.poll(inbound, DATA_FRAGMENTS, nowNs);
  }

  void onTick(long now, boolean mayJudge) {
    for (int i = 0; i < sessions.size(); i++) {
      sessions.get(i).onTick(now, mayJudge);
    }
    int open = 0;
    for (int i = 0; i < sessions.size(); i++) {
      open += sessions.get(i).isOpen() ? 1 : 0;
    }
    context.counters.set(Counter.SESSIONS_OPEN, open);
    for (int i = 0; i < inbounds.size() && mayJudge; i++) {
      Inbound inbound = inbounds.get(i);
      if (inbound.isStray(now)) {
        inbound.condemn("KVA-0420 stream refused - reason=no session");
      }
    }
  }

  private void close(Session session, CloseReason reason) {
    if (reason == CloseReason.PEER_CLOSED) {
      session.pulls.drainRetries(retries::add);
    }
    session.close(reason, nowNs);
    sessions.remove(session);
    byPeer.remove(session.peerNodeId, session);
  }

  // Aeron's callbacks; Aeron must not be called in them.

  void onImageAvailable(Image image) {
    inbounds.add(
        new Inbound(
            image,
            image.subscription().streamId() == Streams.CONTROL,
            System.nanoTime() + INTRODUCTION_NS));
    context.counters.set(Counter.IMAGES, inbounds.size());
  }

  void onImageUnavailable(Image image) {
    for (int i = inbounds.size() - 1; i >= 0; i--) {
      if (inbounds.get(i).image == image) {
        Session session = inbounds.remove(i).session();
        if (session != null) {
          session.closeSoon(CloseReason.LOST);
        }
      }
    }
    context.counters.set(Counter.IMAGES, inbounds.size());
  }

  void onPublicationRejected(PublicationErrorFrame error) {
    for (int i = 0; i < sessions.size(); i++) {
      Session session = sessions.get(i);
      if (session.owns(error.registrationId())) {
        session.closeSoon(CloseReason.REFUSED);
        session.refusedWith(error.errorMessage());
      }
    }
  }

  // Handshakes.

  @Override
  public void onHello(Inbound from, HelloDecoder hello, String endpointText) {
    Endpoint endpoint = Endpoint.parse(endpointText);
    int protocol = context.identity.commonProtocol(hello.protocolMin(), hello.protocolMax());
    String refusal = refusal(hello.nodeId(), hello.clusterHash(), protocol);
    if (refusal != null || endpoint == null || from.session() != null) {
      refuse(from, refusal != null ? refusal : "malformed HELLO");
      return;
    }
    Session session = byPeer.get(hello.nodeId());
    if (session != null && (session.isOpen() || !session.endpoint.equals(endpoint))) {
      close(session, CloseReason.REPLACED);
      session = null;
    }
    if (session == null) {
      session = dial(hello.nodeId(), endpoint, nowNs);
    }
    if (session == null) {
      refuse(from, "too many sessions (limit=" + context.config.maxSessions() + ")");
      return;
    }
    session.greeted(from, hello.token(), protocol);
    session.heard(nowNs);
  }

  @Override
  public void onHelloAck(Inbound from, HelloAckDecoder ack) {
    int protocol = context.identity.commonProtocol(ack.protocol(), ack.protocol());
    String refusal = refusal(ack.nodeId(), ack.clusterHash(), protocol);
    Session session = byPeer.get(ack.nodeId());
    boolean isBoundElsewhere = from.session() != null && from.session() != session;
    if (refusal != null
        || session == null
        || ack.echoedToken() != session.token
        || isBoundElsewhere) {
      refuse(from, refusal != null ? refusal : "answer to no question");
      return;
    }
    session.acknowledged(from, ack.token(), protocol);
    session.heard(nowNs);
  }

  private @Nullable String refusal(long peerNodeId, long clusterHash, int protocol) {
    Identity self = context.identity;
    if (protocol == 0) {
      return "protocol version (limit="
          + self.protocolMin()
          + ".."
          + self.protocolMax()
          + "); upgrade the older node";
    }
    if (clusterHash != self.clusterHash()) {
      return "another cluster; check cluster.name";
    }
    return peerNodeId == self.nodeId() || peerNodeId == 0
        ? "node id is taken; give each node its own"
        : null;
  }

  private void refuse(Inbound from, String why) {
    context.counters.increment(Counter.PROTOCOL_ERRORS);
    from.condemn("KVA-0421 session refused - reason=" + why);
  }

  @Override
  public void onGoodbye(Inbound from, Session session) {
    session.closeSoon(CloseReason.PEER_CLOSED);
  }

  @Override
  public void onDataHello(Inbound from, long nodeId, long token) {
    Session session = byPeer.get(nodeId);
    if (session == null || token != session.token || !session.bindData(from)) {
      refuse(from, "data stream of no session");
      return;
    }
    session.heard(nowNs);
  }

  @Override
  public void onBreach(Inbound from, String what) {
    context.counters.increment(Counter.PROTOCOL_ERRORS);
    from.condemn("KVA-0422 stream refused - reason=" + what);
    Session session = from.session();
    if (session != null) {
      session.closeSoon(CloseReason.PROTOCOL);
    }
  }
}
