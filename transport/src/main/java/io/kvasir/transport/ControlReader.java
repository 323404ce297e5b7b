package io.kvasir.transport;

import io.aeron.logbuffer.FragmentHandler;
import io.aeron.logbuffer.FrameDescriptor;
import io.aeron.logbuffer.Header;
import io.kvasir.placement.ChunkKey;
import io.kvasir.transport.codec.AnswerDecoder;
import io.kvasir.transport.codec.CancelDecoder;
import io.kvasir.transport.codec.ChunkRefusedDecoder;
import io.kvasir.transport.codec.CreditDecoder;
import io.kvasir.transport.codec.DoubtDecoder;
import io.kvasir.transport.codec.GoodbyeDecoder;
import io.kvasir.transport.codec.HandoffDecoder;
import io.kvasir.transport.codec.HeartbeatDecoder;
import io.kvasir.transport.codec.HelloAckDecoder;
import io.kvasir.transport.codec.HelloDecoder;
import io.kvasir.transport.codec.PullRequestDecoder;
import io.kvasir.transport.codec.QuestionDecoder;
import io.kvasir.transport.codec.RemarkDecoder;
import java.util.concurrent.TimeUnit;
import org.agrona.DirectBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Reads the control streams. Every length is checked against the frame before a field is read,
 * because the buffer is the whole term. Lane thread only.
 */
final class ControlReader implements FragmentHandler {
  private static final long REMAINING_MAX_NS = TimeUnit.HOURS.toNanos(1);

  /** What the lane does with handshakes; everything else goes to the session of the stream. */
  interface Handshakes {
    void onHello(Inbound from, HelloDecoder hello, String endpoint);

    void onHelloAck(Inbound from, HelloAckDecoder ack);

    void onGoodbye(Inbound from, Session session);

    void onBreach(Inbound from, String what);
  }

  private final Handshakes handshakes;
  private final LaneContext context;
  private final MessageFrame frame = new MessageFrame();
  private final HelloDecoder hello = new HelloDecoder();
  private final HelloAckDecoder helloAck = new HelloAckDecoder();
  private final GoodbyeDecoder goodbye = new GoodbyeDecoder();
  private final HeartbeatDecoder heartbeat = new HeartbeatDecoder();
  private final PullRequestDecoder pullRequest = new PullRequestDecoder();
  private final ChunkRefusedDecoder chunkRefused = new ChunkRefusedDecoder();
  private final CreditDecoder credit = new CreditDecoder();
  private final CancelDecoder cancel = new CancelDecoder();
  private final DoubtDecoder doubt = new DoubtDecoder();
  private final QuestionDecoder question = new QuestionDecoder();
  private final AnswerDecoder answer = new AnswerDecoder();
  private final RemarkDecoder remark = new RemarkDecoder();
  private final HandoffDecoder handoff = new HandoffDecoder();
  private @Nullable Inbound current;
  private long nowNs;

  ControlReader(Handshakes handshakes, LaneContext context) {
    this.handshakes = handshakes;
    this.context = context;
  }

  int poll(Inbound inbound, int limit, long now) {
    current = inbound;
    nowNs = now;
    return inbound.image.poll(this, limit);
  }

  @Override
  public void onFragment(DirectBuffer buffer, int offset, int length, Header header) {
    Inbound from = current;
    if (from == null || !from.isHeeded()) {
      return;
    }
    boolean isWhole =
        (header.flags() & FrameDescriptor.UNFRAGMENTED) == FrameDescriptor.UNFRAGMENTED;
    if (!isWhole || !frame.wrap(buffer, offset, length)) {
      handshakes.onBreach(from, "not a message of this protocol");
      return;
    }
    Session session = from.session();
    boolean isGood =
        switch (frame.templateId()) {
          case HelloDecoder.TEMPLATE_ID -> onHello(from);
          case HelloAckDecoder.TEMPLATE_ID -> onHelloAck(from);
          default -> session != null && session.isOpen() && onSessionMessage(from, session);
        };
    if (!isGood) {
      handshakes.onBreach(from, "message not allowed or malformed");
    } else if (session != null) {
      session.heard(nowNs);
    }
  }

  private boolean onSessionMessage(Inbound from, Session session) {
    return switch (frame.templateId()) {
      case PullRequestDecoder.TEMPLATE_ID -> onPullRequest(session);
      case CreditDecoder.TEMPLATE_ID -> onCredit(session);
      case CancelDecoder.TEMPLATE_ID -> onCancel(session);
      case ChunkRefusedDecoder.TEMPLATE_ID -> onChunkRefused(session);
      case HeartbeatDecoder.TEMPLATE_ID -> onHeartbeat(session);
      case DoubtDecoder.TEMPLATE_ID -> onDoubt();
      case QuestionDecoder.TEMPLATE_ID -> onQuestion(session);
      case AnswerDecoder.TEMPLATE_ID -> onAnswer(session);
      case RemarkDecoder.TEMPLATE_ID -> onRemark(session);
      case HandoffDecoder.TEMPLATE_ID -> onHandoff(session);
      case GoodbyeDecoder.TEMPLATE_ID -> onGoodbye(from, session);
      default -> false;
    };
  }

  private boolean onHello(Inbound from) {
    if (!frame.holds(HelloDecoder.BLOCK_LENGTH)) {
      return false;
    }
    hello.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    int text = frame.afterBlock() + HelloDecoder.endpointHeaderLength();
    if (text > frame.end()
        || hello.endpointLength() > Endpoint.LENGTH_MAX
        || text + hello.endpointLength() > frame.end()) {
      return false;
    }
    handshakes.onHello(from, hello, hello.endpoint());
    return true;
  }

  private boolean onHelloAck(Inbound from) {
    if (!frame.holds(HelloAckDecoder.BLOCK_LENGTH)) {
      return false;
    }
    helloAck.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    handshakes.onHelloAck(from, helloAck);
    return true;
  }

  private boolean onGoodbye(Inbound from, Session session) {
    if (!frame.holds(GoodbyeDecoder.BLOCK_LENGTH)) {
      return false;
    }
    goodbye.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    if (goodbye.token() != session.peerToken()) {
      return false;
    }
    handshakes.onGoodbye(from, session);
    return true;
  }

  private boolean onHeartbeat(Session session) {
    if (!frame.holds(HeartbeatDecoder.BLOCK_LENGTH)) {
      return false;
    }
    heartbeat.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    if (heartbeat.replyWanted() != 0) {
      session.replyToHeartbeat();
    }
    return true;
  }

  private boolean onCredit(Session session) {
    if (!frame.holds(CreditDecoder.BLOCK_LENGTH)) {
      return false;
    }
    credit.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    Serve serve = session.serves.find(credit.transferId());
    if (serve != null) {
      serve.grant(credit.grantedBytes());
    }
    return true;
  }

  private boolean onCancel(Session session) {
    if (!frame.holds(CancelDecoder.BLOCK_LENGTH)) {
      return false;
    }
    cancel.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    session.serves.cancel(cancel.transferId());
    return true;
  }

  private boolean onDoubt() {
    if (!frame.holds(DoubtDecoder.BLOCK_LENGTH)) {
      return false;
    }
    doubt.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    context.source.doubted(
        new ChunkKey(doubt.key0(), doubt.key1(), doubt.key2(), doubt.key3()), doubt.version());
    return true;
  }

  private boolean onQuestion(Session session) {
    if (!frame.holds(QuestionDecoder.BLOCK_LENGTH)) {
      return false;
    }
    question.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    int body = frame.afterBlock() + QuestionDecoder.bodyHeaderLength();
    if (body > frame.end() || question.bodyLength() > frame.end() - body) {
      return false;
    }
    session.noted(nowNs);
    context.questions.asked(
        session.peerNodeId, question.questionId(), frame.buffer(), body, question.bodyLength());
    return true;
  }

  private boolean onAnswer(Session session) {
    if (!frame.holds(AnswerDecoder.BLOCK_LENGTH)) {
      return false;
    }
    answer.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    int body = frame.afterBlock() + AnswerDecoder.bodyHeaderLength();
    if (body > frame.end() || answer.bodyLength() > frame.end() - body) {
      return false;
    }
    session.noted(nowNs);
    context.questions.answered(
        session.peerNodeId, answer.questionId(), frame.buffer(), body, answer.bodyLength());
    return true;
  }

  private boolean onRemark(Session session) {
    if (!frame.holds(RemarkDecoder.BLOCK_LENGTH)) {
      return false;
    }
    remark.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    int body = frame.afterBlock() + RemarkDecoder.bodyHeaderLength();
    if (body > frame.end() || remark.bodyLength() > frame.end() - body) {
      return false;
    }
    session.noted(nowNs);
    context.questions.remarked(session.peerNodeId, frame.buffer(), body, remark.bodyLength());
    return true;
  }

  private boolean onHandoff(Session session) {
    if (!frame.holds(HandoffDecoder.BLOCK_LENGTH)) {
      return false;
    }
    handoff.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    int body = frame.afterBlock() + HandoffDecoder.bodyHeaderLength();
    if (body > frame.end() || handoff.bodyLength() > frame.end() - body) {
      return false;
    }
    session.noted(nowNs);
    context.questions.told(
        session.peerNodeId, handoff.handoffId(), frame.buffer(), body, handoff.bodyLength());
    return true;
  }

  private boolean onChunkRefused(Session session) {
    if (!frame.holds(ChunkRefusedDecoder.BLOCK_LENGTH)) {
      return false;
    }
    chunkRefused.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    session.pulls.onRefused(
        chunkRefused.transferId(),
        chunkRefused.chunk(),
        PullFailure.ofCode(chunkRefused.reason()),
        chunkRefused.version());
    return true;
  }

  private boolean onPullRequest(Session session) {
    if (!frame.holds(PullRequestDecoder.BLOCK_LENGTH)) {
      return false;
    }
    pullRequest.wrap(frame.buffer(), frame.body(), frame.blockLength(), frame.version());
    TrafficClass trafficClass = TrafficClass.ofCode(pullRequest.trafficClass());
    int total = pullRequest.totalChunks();
    int first = pullRequest.firstChunk();
    int groupStart = frame.afterBlock() + PullRequestDecoder.ChunksDecoder.sbeHeaderSize();
    if (trafficClass == null
        || total < 1
        || total > PullRequest.CHUNKS_MAX
        || groupStart > frame.end()) {
      return false;
    }
    PullRequestDecoder.ChunksDecoder chunks = pullRequest.chunks();
    int count = chunks.count();
    int blockLength = chunks.actingBlockLength();
    if (blockLength < PullRequestDecoder.ChunksDecoder.sbeBlockLength()
        || (long) groupStart + (long) count * blockLength > frame.end()
        || first < 0
        || count < 1
        || count > total - first) {
      return false;
    }
    long transferId = pullRequest.transferId();
    Serve serve = session.serves.find(transferId);
    if (first == 0) {
      if (serve != null) {
        return false;
      }
      serve =
          session.serves.begin(
              session, head(trafficClass, transferId, total), pullRequest.grantedBytes());
    }
    if (serve == null) {
      return true; // refused before, or cancelled while its frames were on the way
    }
    return serve.size() == total && serve.chunksKnown() == first && add(serve, chunks);
  }

  private Serve.Head head(TrafficClass trafficClass, long transferId, int total) {
    long remainingNs = Math.clamp(pullRequest.remainingNs(), 0, REMAINING_MAX_NS);
    return new Serve.Head(
        trafficClass,
        transferId,
        pullRequest.namespaceTag(),
        pullRequest.epoch(),
        total,
        nowNs + remainingNs);
  }

  private boolean add(Serve serve, PullRequestDecoder.ChunksDecoder chunks) {
    while (chunks.hasNext()) {
      chunks.next();
      int lengthBytes = chunks.lengthBytes();
      int fromOffset = chunks.fromOffset();
      if (lengthBytes <= 0 || fromOffset < 0 || fromOffset >= lengthBytes) {
        return false;
      }
      serve.add(
          new ChunkKey(chunks.key0(), chunks.key1(), chunks.key2(), chunks.key3()),
          chunks.group(),
          chunks.version(),
          fromOffset,
          lengthBytes);
    }
    if (serve.isComplete()) {
      context.source.requested(serve);
    }
    return true;
  }
}
