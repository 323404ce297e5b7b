package io.kvasir.transport;

import io.aeron.ExclusivePublication;
import io.aeron.logbuffer.BufferClaim;
import io.aeron.protocol.DataHeaderFlyweight;
import io.kvasir.transport.codec.AnswerEncoder;
import io.kvasir.transport.codec.CancelEncoder;
import io.kvasir.transport.codec.ChunkRefusedEncoder;
import io.kvasir.transport.codec.CreditEncoder;
import io.kvasir.transport.codec.DoubtEncoder;
import io.kvasir.transport.codec.GoodbyeEncoder;
import io.kvasir.transport.codec.HandoffEncoder;
import io.kvasir.transport.codec.HeartbeatEncoder;
import io.kvasir.transport.codec.HelloAckEncoder;
import io.kvasir.transport.codec.HelloEncoder;
import io.kvasir.transport.codec.MessageHeaderEncoder;
import io.kvasir.transport.codec.PullRequestEncoder;
import io.kvasir.transport.codec.QuestionEncoder;
import io.kvasir.transport.codec.RemarkEncoder;
import org.agrona.MutableDirectBuffer;

/**
 * Writes control messages straight into claimed term buffers. Every method returns whether there
 * was room; without room the caller tries again in a later turn. Lane thread only.
 */
final class ControlWriter {
  /** For {@link #refused}: the whole pull. */
  static final int ALL_CHUNKS = -1;

  private final BufferClaim claim = new BufferClaim();
  private final MessageHeaderEncoder header = new MessageHeaderEncoder();
  private final HelloEncoder hello = new HelloEncoder();
  private final HelloAckEncoder helloAck = new HelloAckEncoder();
  private final GoodbyeEncoder goodbye = new GoodbyeEncoder();
  private final HeartbeatEncoder heartbeat = new HeartbeatEncoder();
  private final PullRequestEncoder pullRequest = new PullRequestEncoder();
  private final ChunkRefusedEncoder chunkRefused = new ChunkRefusedEncoder();
  private final CreditEncoder credit = new CreditEncoder();
  private final CancelEncoder cancel = new CancelEncoder();
  private final DoubtEncoder doubt = new DoubtEncoder();
  private final QuestionEncoder question = new QuestionEncoder();
  private final AnswerEncoder answer = new AnswerEncoder();
  private final RemarkEncoder remark = new RemarkEncoder();
  private final HandoffEncoder handoff = new HandoffEncoder();

  boolean hello(ExclusivePublication to, Identity self, long token, String endpoint) {
    int length =
        HelloEncoder.BLOCK_LENGTH + HelloEncoder.endpointHeaderLength() + endpoint.length();
    if (!claim(to, length)) {
      return false;
    }
    hello
        .wrapAndApplyHeader(buffer(), claim.offset(), header)
        .nodeId(self.nodeId())
        .incarnation(self.incarnation())
        .clusterHash(self.clusterHash())
        .token(token)
        .protocolMin(self.protocolMin())
        .protocolMax(self.protocolMax())
        .endpoint(endpoint);
    claim.commit();
    return true;
  }

  boolean helloAck(
      ExclusivePublication to, Identity self, long token, long echoedToken, int protocol) {
    if (!claim(to, HelloAckEncoder.BLOCK_LENGTH)) {
      return false;
    }
    helloAck
        .wrapAndApplyHeader(buffer(), claim.offset(), header)
        .nodeId(self.nodeId())
        .incarnation(self.incarnation())
        .clusterHash(self.clusterHash())
        .token(token)
        .echoedToken(echoedToken)
        .protocol(protocol);
    claim.commit();
    return true;
  }

  boolean goodbye(ExclusivePublication to, long token, int reason) {
    if (!claim(to, GoodbyeEncoder.BLOCK_LENGTH)) {
      return false;
    }
    goodbye
        .wrapAndApplyHeader(buffer(), claim.offset(), header)
        .token(token)
        .reason((short) reason);
    claim.commit();
    return true;
  }

  boolean heartbeat(ExclusivePublication to, long sequence, boolean replyWanted) {
    if (!claim(to, HeartbeatEncoder.BLOCK_LENGTH)) {
      return false;
    }
    heartbeat
        .wrapAndApplyHeader(buffer(), claim.offset(), header)
        .sequence(sequence)
        .replyWanted((short) (replyWanted ? 1 : 0));
    claim.commit();
    return true;
  }

  /** Writes as many chunks of a pull as fit into one frame, from the first not yet requested. */
  boolean pullRequest(ExclusivePublication to, Pull pull, long nowNs) {
    int room =
        to.maxPayloadLength()
            - MessageHeaderEncoder.ENCODED_LENGTH
            - PullRequestEncoder.BLOCK_LENGTH
            - PullRequestEncoder.ChunksEncoder.sbeHeaderSize();
    int first = pull.chunksRequested();
    int count =
        Math.min(pull.size() - first, room / PullRequestEncoder.ChunksEncoder.sbeBlockLength());
    int length =
        PullRequestEncoder.BLOCK_LENGTH
            + PullRequestEncoder.ChunksEncoder.sbeHeaderSize()
            + count * PullRequestEncoder.ChunksEncoder.sbeBlockLength();
    if (!claim(to, length)) {
      return false;
    }
    PullRequest request = pull.request;
    PullRequestEncoder.ChunksEncoder chunks =
        pullRequest
            .wrapAndApplyHeader(buffer(), claim.offset(), header)
            .transferId(pull.transferId())
            .grantedBytes(pull.grantedBytes())
            .remainingNs(request.deadlineNs() - nowNs)
            .namespaceTag(request.namespaceTag())
            .epoch(request.epoch())
            .firstChunk(first)
            .totalChunks(pull.size())
            .trafficClass((short) request.trafficClass().code())
            .chunksCount(count);
    for (int i = first; i < first + count; i++) {
      PullChunk chunk = request.chunks().get(i);
      chunks
          .next()
          .key0(chunk.key().w0())
          .key1(chunk.key().w1())
          .key2(chunk.key().w2())
          .key3(chunk.key().w3())
          .group(chunk.group())
          .version(chunk.version())
          .fromOffset(chunk.fromOffset())
          .lengthBytes(chunk.lengthBytes());
    }
    claim.commit();
    pull.requested(count);
    return true;
  }

  boolean refused(
      ExclusivePublication to, long transferId, int chunk, PullFailure reason, long version) {
    if (!claim(to, ChunkRefusedEncoder.BLOCK_LENGTH)) {
      return false;
    }
    chunkRefused
        .wrapAndApplyHeader(buffer(), claim.offset(), header)
        .transferId(transferId)
        .version(version)
        .chunk(chunk)
        .reason((short) reason.code());
    claim.commit();
    return true;
  }

  boolean credit(ExclusivePublication to, long transferId, long grantedBytes) {
    if (!claim(to, CreditEncoder.BLOCK_LENGTH)) {
      return false;
    }
    credit
        .wrapAndApplyHeader(buffer(), claim.offset(), header)
        .transferId(transferId)
        .grantedBytes(grantedBytes);
    claim.commit();
    return true;
  }

  boolean cancel(ExclusivePublication to, long transferId) {
    if (!claim(to, CancelEncoder.BLOCK_LENGTH)) {
      return false;
    }
    cancel.wrapAndApplyHeader(buffer(), claim.offset(), header).transferId(transferId);
    claim.commit();
    return true;
  }

  boolean doubt(ExclusivePublication to, Doubt about) {
    if (!claim(to, DoubtEncoder.BLOCK_LENGTH)) {
      return false;
    }
    doubt
        .wrapAndApplyHeader(buffer(), claim.offset(), header)
        .key0(about.key().w0())
        .key1(about.key().w1())
        .key2(about.key().w2())
        .key3(about.key().w3())
        .version(about.version());
    claim.commit();
    return true;
  }

  boolean note(ExclusivePublication to, Note note) {
    byte[] body = note.body();
    boolean isRemark = note.kind() == Note.Kind.REMARK;
    // The others have the same form.
    int blockLength = isRemark ? RemarkEncoder.BLOCK_LENGTH : QuestionEncoder.BLOCK_LENGTH;
    if (!claim(to, blockLength + QuestionEncoder.bodyHeaderLength() + body.length)) {
      return false;
    }
    switch (note.kind()) {
      case QUESTION ->
          question
              .wrapAndApplyHeader(buffer(), claim.offset(), header)
              .questionId(note.id())
              .putBody(body, 0, body.length);
      case ANSWER ->
          answer
              .wrapAndApplyHeader(buffer(), claim.offset(), header)
              .questionId(note.id())
              .putBody(body, 0, body.length);
      case HANDOFF ->
          handoff
              .wrapAndApplyHeader(buffer(), claim.offset(), header)
              .handoffId(note.id())
              .putBody(body, 0, body.length);
      case REMARK ->
          remark.wrapAndApplyHeader(buffer(), claim.offset(), header).putBody(body, 0, body.length);
    }
    claim.commit();
    return true;
  }

  /** Bytes of a note's body that fit into a frame of this MTU. */
  static int noteBytesMax(int mtuBytes) {
    return mtuBytes
        - DataHeaderFlyweight.HEADER_LENGTH
        - MessageHeaderEncoder.ENCODED_LENGTH
        - QuestionEncoder.BLOCK_LENGTH
        - QuestionEncoder.bodyHeaderLength();
  }

  private boolean claim(ExclusivePublication to, int bodyBytes) {
    return to.tryClaim(MessageHeaderEncoder.ENCODED_LENGTH + bodyBytes, claim) > 0;
  }

  private MutableDirectBuffer buffer() {
    return claim.buffer();
  }
}
