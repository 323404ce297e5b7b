package io.kvasir.node.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.kvasir.node.TestEngine;
import io.kvasir.node.local.LocalCluster;
import io.kvasir.node.peer.NeighbourMessage.Ask;
import io.kvasir.node.peer.NeighbourMessage.Borrow;
import io.kvasir.node.peer.NeighbourMessage.Lent;
import io.kvasir.node.peer.NeighbourMessage.Offer;
import io.kvasir.node.peer.NeighbourMessage.Proof;
import io.kvasir.node.peer.NeighbourMessage.Proven;
import io.kvasir.node.peer.NeighbourMessage.Refused;
import io.kvasir.node.peer.NeighbourMessage.Wanted;
import io.kvasir.node.store.ForeignSlab;
import io.kvasir.node.store.SlabShare;
import io.kvasir.placement.ChunkKey;
import io.kvasir.placement.Groups;
import io.kvasir.placement.Namespace;
import io.kvasir.transport.ChunkSource;
import io.kvasir.transport.PullChunk;
import io.kvasir.transport.PullFailure;
import io.kvasir.transport.PullListener;
import io.kvasir.transport.PullRequest;
import io.kvasir.transport.Questions;
import io.kvasir.transport.ServeRequest;
import io.kvasir.transport.TrafficClass;
import io.kvasir.transport.Transport;
import io.kvasir.transport.TransportConfig;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.agrona.DirectBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Somebody who speaks the peer protocol to a real node of this host, but not as a node would. */
@Timeout(180)
class SameHostStrangerTest {
  private static final int CHUNK_BYTES = 1 << 20;
  private static final long NODE_ID = 4711;
  private static final long NONCE = 99;

  @TempDir private Path directory;
  private final BlockingQueue<NeighbourMessage> heard = new LinkedBlockingQueue<>();
  private LocalCluster cluster;
  private Transport stranger;
  private long ownerId;
  private ChunkKey key;

  @BeforeEach
  void openASession() throws Exception {
    // Its remarks are shorter than the stranger's, whose MTU is that of loopback.
    cluster =
        LocalCluster.builder().nodes(1).sameHost().shortLived().set("transport.mtu=1408").start();
    ownerId = Long.parseUnsignedLong(cluster.node(0).info().nodeId(), 16);
    stranger =
        Transport.start(
            TransportConfig.builder(
                    NODE_ID,
                    "local-" + cluster.directory().getFileName(),
                    directory.resolve("aeron"))
                .build(),
            new NoChunks(),
            new Ears());
    final Namespace namespace = TestEngine.namespace("stranger");
    try (TestEngine engine =
        TestEngine.connect(cluster.node(0).engineSocket(), "stranger", CHUNK_BYTES)) {
      engine.store(1, 1, true);
    }
    key = ChunkKey.derive(namespace.fingerprint(), TestEngine.hashes(1, 1), 0);
    assertTrue(stranger.ask(ownerId, cluster.node(0).info().transportEndpoint(), 1, new byte[0]));
    assertTrue(next() instanceof Ask, "a node asks first");
  }

  @AfterEach
  void closeAll() {
    stranger.close();
    cluster.close();
  }

  @Test
  void shouldLendNothingButServeOverTheNetworkWhenTheProofIsWrong() throws Exception {
    final long proof = proofOf(ask());
    say(new Proof(NONCE, proof + 1));
    say(borrow(1));
    assertPulls();
    assertEquals(List.of(), List.copyOf(heard));
    assertEquals(1, peers("neighboursRefused"));
    assertEquals(0, peers("bytesLent"));
    assertEquals((long) CHUNK_BYTES, peers("bytesServed"));
    say(new Proof(NONCE, proof)); // too late: of this session nothing comes any more
    say(borrow(2));
    assertPulls();
    assertEquals(List.of(), List.copyOf(heard));
    assertEquals(0, peers("bytesLent"));
  }

  @Test
  void shouldLendNothingWhenNothingIsProven() throws Exception {
    say(borrow(1));
    assertPulls();
    ask();
    say(borrow(2));
    assertPulls();
    assertEquals(List.of(), List.copyOf(heard));
    assertEquals(0, peers("bytesLent"));
  }

  @Test
  void shouldOfferNothingToAnotherHostOrUser() throws Exception {
    final SlabShare share = ask().share();
    say(new Ask(NONCE, share.uid(), new UUID(1, 2)));
    say(new Ask(NONCE, share.uid() + 1, share.hostProof(NONCE, NODE_ID)));
    say(new Ask(NONCE, share.uid(), share.hostProof(NONCE, NODE_ID + 1))); // another's, repeated
    say(new Ask(NONCE, share.uid(), share.bootId()));
    assertPulls();
    assertEquals(List.of(), List.copyOf(heard));
  }

  @Test
  void shouldEndTheRelationButNotTheSessionWhenARemarkIsNoMessage() throws Exception {
    prove();
    assertTrue(stranger.remark(ownerId, new byte[] {77}));
    say(borrow(1));
    assertPulls();
    assertEquals(List.of(), List.copyOf(heard));
    assertEquals(1, peers("neighboursRefused"));
  }

  @Test
  void shouldKeepThePinUntilItIsReturnedOrTheSessionEnds() throws Exception {
    final Offer offer = prove();
    try (ForeignSlab slab = ForeignSlab.open(other(offer), offer.share(), offer.cell(), NONCE)) {
      say(borrow(1));
      final Lent first = (Lent) next();
      assertEquals(1, pinned());
      say(new NeighbourMessage.Returned(List.of(new NeighbourMessage.Done(1, 7)))); // none such
      say(new NeighbourMessage.Returned(List.of(new NeighbourMessage.Done(2, 0))));
      say(new NeighbourMessage.Returned(List.of(new NeighbourMessage.Done(1, 0))));
      awaitPinned(0);
      say(new NeighbourMessage.Returned(List.of(new NeighbourMessage.Done(1, 0)))); // again
      say(borrow(1));
      final Lent second = (Lent) next();
      assertEquals(first.places(), second.places());
      assertTrue(slab.isValid());
      stranger.close();
      awaitPinned(0);
      assertTrue(!slab.isValid(), "the cell is void before the pin falls");
    }
    assertEquals(0, peers("servesOpen"));
  }

  @Test
  void shouldRefuseWhatItDoesNotHave() throws Exception {
    prove();
    say(
        new Borrow(
            5,
            0,
            0,
            List.of(
                new Wanted(new ChunkKey(1, 2, 3, 4), 1, 0, CHUNK_BYTES),
                new Wanted(key, 1, 12345, CHUNK_BYTES),
                new Wanted(key, 1, 0, CHUNK_BYTES - 1))));
    final Refused refused = (Refused) next();
    assertEquals(
        List.of(PullFailure.MISSING, PullFailure.VERSION_MISMATCH, PullFailure.LENGTH_MISMATCH),
        refused.refusals().stream().map(NeighbourMessage.Refusal::reason).toList());
    awaitPinned(0);
  }

  @Test
  void shouldAnswerInPartsWhenAskedForMoreThanOneRemarkHolds() throws Exception {
    prove();
    final int wanted = 140;
    say(
        new Borrow(
            6,
            0,
            0,
            Collections.nCopies(wanted, new Wanted(new ChunkKey(1, 2, 3, 4), 1, 0, CHUNK_BYTES))));
    say(
        new Borrow(
            7,
            0,
            0,
            Collections.nCopies(wanted, new Wanted(key, Groups.groupId(key), 0, CHUNK_BYTES))));
    int refused = 0;
    int lent = 0;
    while (refused < wanted || lent < wanted) {
      switch (next()) {
        case Refused some -> refused += some.refusals().size();
        case Lent some -> lent += some.places().size();
        default -> throw new AssertionError("neither lent nor refused");
      }
    }
    assertEquals(wanted, refused);
    assertEquals(wanted, lent);
  }

  private Offer prove() throws Exception {
    final Offer offer = ask();
    say(new Proof(NONCE, proofOf(offer)));
    assertEquals(new Proven(NONCE), next());
    return offer;
  }

  private Offer ask() throws Exception {
    final int uid = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    final UUID bootId =
        UUID.fromString(Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip());
    final SlabShare self = new SlabShare(uid, bootId, 1, 1, 1, 1, Path.of("/elsewhere"));
    say(new Ask(NONCE, uid, self.hostProof(NONCE, NODE_ID)));
    return (Offer) next();
  }

  /** A slab of our own that we do not have. */
  private static SlabShare other(final Offer offer) {
    final SlabShare share = offer.share();
    return new SlabShare(share.uid(), share.bootId(), 1, 1, 1, 1, Path.of("/elsewhere"));
  }

  private static long proofOf(final Offer offer) throws IOException {
    try (ForeignSlab slab = ForeignSlab.open(other(offer), offer.share(), offer.cell(), NONCE)) {
      return slab.proof();
    }
  }

  private Borrow borrow(final long id) {
    return new Borrow(id, 0, 0, List.of(new Wanted(key, Groups.groupId(key), 0, CHUNK_BYTES)));
  }

  private void say(final NeighbourMessage message) {
    assertTrue(stranger.remark(ownerId, message.encode()));
  }

  private NeighbourMessage next() throws InterruptedException {
    final NeighbourMessage message = heard.poll(60, TimeUnit.SECONDS);
    assertNotNull(message, "the node says nothing");
    return message;
  }

  /** Over the network; what was said before over the same session has been heard then. */
  private void assertPulls() throws Exception {
    final CompletableFuture<Long> version = new CompletableFuture<>();
    try (Arena arena = Arena.ofShared()) {
      final MemorySegment target = arena.allocate(CHUNK_BYTES, 64);
      assertTrue(
          stranger.pull(
              new PullRequest(
                  TrafficClass.DEMAND,
                  System.nanoTime(),
                  ownerId,
                  cluster.node(0).info().transportEndpoint(),
                  List.of(new PullChunk(key, Groups.groupId(key), target, CHUNK_BYTES, 0, 0)),
                  0,
                  0,
                  System.nanoTime() + TimeUnit.SECONDS.toNanos(30),
                  new PullListener() {
                    @Override
                    public void received(final int chunk, final long of, final int crc32c) {
                      version.complete(of);
                    }

                    @Override
                    public void failed(
                        final int chunk, final PullFailure reason, final long of, final int at) {
                      version.completeExceptionally(new AssertionError(reason));
                    }
                  })));
      version.get(60, TimeUnit.SECONDS);
    }
  }

  private void awaitPinned(final int count) throws Exception {
    final long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (pinned() != count) {
      assertTrue(System.nanoTime() - deadlineNs < 0, "pinned " + pinned());
      Thread.sleep(5);
    }
  }

  private int pinned() throws IOException {
    return stats().path("store").path("pinned").asInt();
  }

  private long peers(final String counter) throws IOException {
    return stats().path("peers").path(counter).asLong();
  }

  private JsonNode stats() throws IOException {
    return cluster.node(0).stats();
  }

  /** Collects remarks. */
  private final class Ears implements Questions {
    @Override
    public void asked(
        final long peer, final long id, final DirectBuffer buffer, final int at, final int length) {
      // Nobody asks us.
    }

    @Override
    public void answered(
        final long peer, final long id, final DirectBuffer buffer, final int at, final int length) {
      // We asked nothing.
    }

    @Override
    public void remarked(
        final long peer, final DirectBuffer buffer, final int offset, final int length) {
      final byte[] body = new byte[length];
      buffer.getBytes(offset, body);
      heard.add(NeighbourMessage.decode(body));
    }
  }

  /** Has nothing. */
  private static final class NoChunks implements ChunkSource {
    @Override
    public void requested(final ServeRequest request) {
      for (int chunk = 0; chunk < request.size(); chunk++) {
        request.missing(chunk);
      }
    }

    @Override
    public void finished(final ServeRequest request, final int chunk) {
      throw new AssertionError("nothing was found");
    }

    @Override
    public void doubted(final ChunkKey doubted, final long version) {
      // Nothing of ours.
    }
  }
}
