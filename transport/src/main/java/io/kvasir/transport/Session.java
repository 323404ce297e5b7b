package io.kvasir.transport;

import io.aeron.Aeron;
import io.aeron.ExclusivePublication;
import io.kvasir.transport.Counters.Counter;
import java.util.ArrayDeque;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This node's relation to one peer: one control publication each way, and a data publication from
 * whoever serves. Lane thread only.
 *
 * <pre>
 *   DIALING --connected, HELLO sent--&gt; GREETING --HELLO_ACK--&gt; OPEN --&gt; CLOSED
 *      \--HELLO--&gt; ACCEPTING --connected, HELLO_ACK sent---------^
 *   any state --time-out, refusal, goodbye, replaced--&gt; CLOSED
 * </pre>
 *
 * <p>When both dial at once each has sent a HELLO; both answer, and whichever answer comes first
 * opens.
 */
final class Session {
  /** Where the handshake stands. */
  enum State {
    /** Waits until the peer receives the control publication, to say HELLO. */
    DIALING,
    /** Has said HELLO, waits for the answer. */
    GREETING,
    /** Was greeted, waits until the peer receives the control publication, to answer. */
    ACCEPTING,
    /** Both sides know each other. */
    OPEN,
    /** Over; never comes back. */
    CLOSED
  }

  /** Why a session closes; the code goes into GOODBYE. */
  enum CloseReason {
    IDLE(1, PullFailure.UNREACHABLE, true),
    SHUTDOWN(2, PullFailure.CANCELLED, true),
    TIMEOUT(3, PullFailure.SILENT, false),
    PROTOCOL(4, PullFailure.PROTOCOL, false),
    REPLACED(5, PullFailure.UNREACHABLE, true),
    REFUSED(6, PullFailure.UNREACHABLE, true),
    LOST(7, PullFailure.UNREACHABLE, false),
    PEER_CLOSED(8, PullFailure.UNREACHABLE, true);

    final int code;
    final PullFailure failure;

    /** Whether the peer ends its streams by itself; Aeron removes a refused one only later. */
    final boolean isMutual;

    CloseReason(int code, PullFailure failure, boolean isMutual) {
      this.code = code;
      this.failure = failure;
      this.isMutual = isMutual;
    }
  }

  private static final Logger LOG = LoggerFactory.getLogger(Session.class);

  private static final int DOUBTS_MAX = 256;
  private static final int NOTES_MAX = 1_024;

  final long peerNodeId;
  final Endpoint endpoint;
  final long token;
  final PullQueue pulls;
  final ServeQueue serves;
  private final LaneContext context;
  private final Aeron aeron;
  private final Wiring wiring;
  private final ArrayDeque<Doubt> doubts = new ArrayDeque<>();
  private final ArrayDeque<Note> notes = new ArrayDeque<>();
  private final Outbound control;
  private final long createdNs;
  private @Nullable Outbound data;
  private @Nullable Inbound controlIn;
  private @Nullable Inbound dataIn;
  private State state;
  private long peerToken;
  private int protocol;
  private boolean isAckDue;
  private boolean isReplyDue;
  private boolean isDataGreeted;
  private boolean isSuspect;
  private long heartbeats;
  private long lastHeartbeatNs;
  private long lastInboundNs;
  private long lastWorkNs;
  private long workBeganNs;
  private boolean hadWork;
  private @Nullable CloseReason pendingClose;

  /** How sessions of this node send. */
  record Wiring(String ownEndpoint, int mtuBytes, int termBytes, SocketBuffers buffers) {}

  Session(
      long peerNodeId,
      Endpoint endpoint,
      LaneContext context,
      Aeron aeron,
      Wiring wiring,
      Consumer<Pull> onPullEnded,
      long nowNs) {
    this.peerNodeId = peerNodeId;
    this.endpoint = endpoint;
    this.context = context;
    this.aeron = aeron;
    this.wiring = wiring;
    this.token = context.newToken();
    this.pulls = new PullQueue(context, onPullEnded);
    this.serves = new ServeQueue(context, this::usableData);
    this.control =
        new Outbound(
            aeron, Streams.control(endpoint, wiring.mtuBytes(), wiring.buffers()), Streams.CONTROL);
    this.createdNs = nowNs;
    this.lastInboundNs = nowNs;
    this.lastWorkNs = nowNs;
    this.state = State.DIALING;
  }

  State state() {
    return state;
  }

  boolean isOpen() {
    return state == State.OPEN;
  }

  /** Whether the peer has been silent so long that new pulls fail at once. */
  boolean isSuspect() {
    return isSuspect;
  }

  long peerToken() {
    return peerToken;
  }

  boolean owns(long publicationRegistrationId) {
    Outbound dataOut = data;
    return control.registrationId() == publicationRegistrationId
        || (dataOut != null && dataOut.registrationId() == publicationRegistrationId);
  }

  /** Closes at the next turn; for callbacks, in which Aeron must not be called. */
  void closeSoon(CloseReason reason) {
    if (pendingClose == null) {
      pendingClose = reason;
    }
  }

  /** Notes in the log why the peer refused us; once per session. */
  void refusedWith(String reason) {
    LOG.info(
        "KVA-0423 peer refused - peer={} endpoint={} said=\"{}\"",
        hex(peerNodeId),
        endpoint,
        reason);
  }

  @Nullable CloseReason pendingClose() {
    return pendingClose;
  }

  // Handshake.

  /** The peer said HELLO on this stream. */
  void greeted(Inbound from, long newPeerToken, int commonProtocol) {
    bindControl(from);
    peerToken = newPeerToken;
    protocol = commonProtocol;
    isAckDue = true;
    if (state == State.DIALING) {
      state = State.ACCEPTING;
    }
  }

  /** The peer answered our HELLO on this stream. */
  void acknowledged(Inbound from, long newPeerToken, int commonProtocol) {
    bindControl(from);
    peerToken = newPeerToken;
    if (state != State.OPEN) {
      opened(commonProtocol);
    }
  }

  private void bindControl(Inbound from) {
    Inbound old = controlIn;
    if (old != null && old != from) {
      old.bind(null);
      old.condemn("KVA-0426 session goes on elsewhere - reason=REPLACED");
    }
    controlIn = from;
    from.bind(this);
  }

  /** Accepts a data stream of the peer; false if it already has one. */
  boolean bindData(Inbound from) {
    if (dataIn != null) {
      return false;
    }
    dataIn = from;
    from.bind(this);
    return true;
  }

  private void opened(int commonProtocol) {
    protocol = commonProtocol;
    state = State.OPEN;
    context.counters.increment(Counter.SESSIONS_OPENED);
    context.questions.opened(peerNodeId);
    LOG.debug("session open peer={} endpoint={} protocol={}", hex(peerNodeId), endpoint, protocol);
  }

  // Turns.

  /** Sends this soon; dropped when many wait already, since a flood says nothing new. */
  void doubt(Doubt about) {
    if (doubts.size() < DOUBTS_MAX) {
      doubts.add(about);
    }
  }

  /**
   * Sends this soon. When the peer takes none a question or an answer is dropped, as its asker has
   * a deadline; remarks are complete or the session ends.
   */
  void note(Note note, long nowNs) {
    if (notes.size() < NOTES_MAX) {
      notes.add(note);
      noted(nowNs);
    } else if (note.kind() == Note.Kind.REMARK) {
      closeSoon(CloseReason.LOST);
    } else {
      context.counters.increment(Counter.NOTES_DROPPED);
    }
  }

  /** A question, an answer or a remark, sent or heard, keeps the session. */
  void noted(long nowNs) {
    lastWorkNs = nowNs;
  }

  /** Sends what is due. */
  int doWork(long nowNs) {
    ExclusivePublication to = control.connected();
    if (to == null) {
      if (isOpen()) {
        closeSoon(CloseReason.LOST);
      }
      return 0;
    }
    int work = shakeHands(to);
    if (state != State.OPEN) {
      return work;
    }
    if (isReplyDue && context.control.heartbeat(to, ++heartbeats, false)) {
      isReplyDue = false;
      work++;
    }
    while (!doubts.isEmpty() && context.control.doubt(to, doubts.getFirst())) {
      doubts.removeFirst();
      work++;
    }
    while (!notes.isEmpty() && context.control.note(to, notes.getFirst())) {
      notes.removeFirst();
      work++;
    }
    return work + pulls.doWork(to, nowNs) + serves.doWork(to);
  }

  private int shakeHands(ExclusivePublication to) {
    if (isAckDue) {
      if (!context.control.helloAck(to, context.identity, token, peerToken, protocol)) {
        return 0;
      }
      isAckDue = false;
      if (state != State.OPEN) {
        opened(protocol);
      }
      return 1;
    }
    if (state == State.DIALING
        && context.control.hello(to, context.identity, token, wiring.ownEndpoint())) {
      state = State.GREETING;
      return 1;
    }
    return 0;
  }

  /** The data publication once the peer receives it and knows whose it is; created on first use. */
  private @Nullable ExclusivePublication usableData() {
    Outbound out = data;
    if (out == null) {
      out =
          new Outbound(
              aeron,
              Streams.data(endpoint, wiring.mtuBytes(), wiring.termBytes(), wiring.buffers()),
              Streams.DATA);
      data = out;
    }
    ExclusivePublication to = out.connected();
    if (to != null && !isDataGreeted) {
      isDataGreeted = context.data.dataHello(to, context.identity.nodeId(), peerToken);
    }
    return isDataGreeted ? to : null;
  }

  // Liveness.

  /** A frame of the peer arrived. */
  void heard(long nowNs) {
    lastInboundNs = nowNs;
    isSuspect = false;
  }

  void replyToHeartbeat() {
    isReplyDue = true;
  }

  boolean hasWork() {
    return !pulls.isEmpty() || !serves.isEmpty();
  }

  /**
   * Looks at the clock, every few milliseconds.
   *
   * @param mayJudge false just after this lane itself was held up, when silence proves nothing.
   */
  void onTick(long nowNs, boolean mayJudge) {
    pulls.checkDeadlines(nowNs);
    serves.checkDeadlines(nowNs);
    boolean hasWork = hasWork();
    if (hasWork) {
      lastWorkNs = nowNs;
      workBeganNs = hadWork ? workBeganNs : nowNs;
    }
    hadWork = hasWork || isSuspect;
    if (mayJudge) {
      judge(nowNs, hasWork);
    }
    if (isOpen() && (hasWork || isSuspect)) {
      beat(nowNs);
    }
  }

  private void judge(long nowNs, boolean hasWork) {
    PullFailure silence = isOpen() ? PullFailure.SILENT : PullFailure.UNREACHABLE;
    if (pulls.checkSilence(nowNs, lastInboundNs, silence)) {
      isSuspect = true;
    }
    if (!isOpen()) {
      isSuspect |= nowNs - createdNs > context.silenceNs;
      if (nowNs - createdNs > context.sessionTimeoutNs) {
        closeSoon(CloseReason.LOST);
      }
    } else if (hasWork || isSuspect) {
      // Work may begin long after the last frame; only silence since then counts.
      long sinceNs = lastInboundNs - workBeganNs > 0 ? lastInboundNs : workBeganNs;
      if (nowNs - sinceNs > context.sessionTimeoutNs) {
        closeSoon(CloseReason.TIMEOUT);
      }
    } else if (nowNs - lastWorkNs > context.idleCloseNs) {
      closeSoon(CloseReason.IDLE);
    }
  }

  private void beat(long nowNs) {
    if (nowNs - lastHeartbeatNs < context.heartbeatNs) {
      return;
    }
    ExclusivePublication to = control.connected();
    boolean isReplyWanted = isSuspect || !pulls.isEmpty();
    if (to != null && context.control.heartbeat(to, ++heartbeats, isReplyWanted)) {
      lastHeartbeatNs = nowNs;
    }
  }

  // End.

  /** Ends everything of this session; idempotent. */
  void close(CloseReason reason, long nowNs) {
    if (state == State.CLOSED) {
      return;
    }
    boolean wasOpen = isOpen();
    state = State.CLOSED;
    if (wasOpen) {
      context.questions.closed(peerNodeId);
    }
    serves.endAll();
    pulls.failAll(reason.failure);
    if (!aeron.isClosed()) {
      ExclusivePublication to = wasOpen ? control.connected() : null;
      if (to != null && !context.control.goodbye(to, token, reason.code)) {
        LOG.debug("no room for a goodbye peer={}", hex(peerNodeId));
      }
      control.close();
      Outbound dataOut = data;
      if (dataOut != null) {
        dataOut.close();
      }
    }
    release(controlIn, reason, nowNs);
    release(dataIn, reason, nowNs);
    context.counters.increment(Counter.SESSIONS_CLOSED);
    LOG.debug("session closed peer={} endpoint={} reason={}", hex(peerNodeId), endpoint, reason);
  }

  private void release(@Nullable Inbound inbound, CloseReason reason, long nowNs) {
    if (inbound != null) {
      inbound.mute(nowNs + context.sessionTimeoutNs);
      if (!reason.isMutual) {
        inbound.condemn("KVA-0425 session closed - reason=" + reason);
      }
    }
  }

  private static String hex(long id) {
    return Long.toHexString(id);
  }
}
