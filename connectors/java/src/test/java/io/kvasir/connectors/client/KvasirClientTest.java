package io.kvasir.connectors.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.kvasir.connectors.client.ScriptedServer.Peer;
import io.kvasir.connectors.client.ScriptedServer.Script;
import io.kvasir.connectors.protocol.AcquireEndBody;
import io.kvasir.connectors.protocol.AcquiredBody;
import io.kvasir.connectors.protocol.ChunkSource;
import io.kvasir.connectors.protocol.CommitStatus;
import io.kvasir.connectors.protocol.CommittedBody;
import io.kvasir.connectors.protocol.EmptyBody;
import io.kvasir.connectors.protocol.EndReason;
import io.kvasir.connectors.protocol.ErrorBody;
import io.kvasir.connectors.protocol.ErrorCode;
import io.kvasir.connectors.protocol.FoundBody;
import io.kvasir.connectors.protocol.Frame;
import io.kvasir.connectors.protocol.LoadAdvice;
import io.kvasir.connectors.protocol.LookupBody;
import io.kvasir.connectors.protocol.MessageType;
import io.kvasir.connectors.protocol.ReadyBody;
import io.kvasir.connectors.protocol.ReleaseStatus;
import io.kvasir.connectors.protocol.ReleasedBody;
import io.kvasir.connectors.protocol.ReserveStatus;
import io.kvasir.connectors.protocol.ReservedBody;
import io.kvasir.placement.Namespace;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The client against programs that are no node, or break off. The tests with a node are the node's.
 */
@Timeout(60)
final class KvasirClientTest {
  private static final Duration PATIENT = Duration.ofSeconds(20);
  private static final Duration SHORT = Duration.ofMillis(200);
  private static final int CHUNK_BYTES = 4096;
  private static final byte[] HASHES = new byte[2 * 32];
  private static final byte[] ANCHOR = new byte[32];
  private static final Namespace NAMESPACE =
      new Namespace(
          "default",
          null,
          "model-ü",
          null,
          null,
          null,
          "float32",
          null,
          4,
          2,
          32,
          "layer-kv-token-head",
          null,
          1,
          "kvasir-sha256/128");

  @TempDir private Path folder;

  @Test
  void shouldBeUnavailableWhenThereIsNoSocket() {
    final var e =
        assertThrows(NodeUnavailableException.class, () -> connect(folder.resolve("none"), SHORT));
    assertMessage("KVA-0510 ", e);
    assertThrows(
        NodeUnavailableException.class,
        () -> connect(folder.resolve("x".repeat(200)), SHORT),
        "longer than a socket path may be");
  }

  @Test
  void shouldBeUnavailableWhenThePathIsAPlainFile() throws IOException {
    final Path file = Files.writeString(folder.resolve("file"), "no socket");
    assertThrows(NodeUnavailableException.class, () -> connect(file, SHORT));
  }

  @Test
  void shouldBeUnavailableWhenNobodyAnswers() throws IOException {
    assertConnectFails("KVA-0512", SHORT, Peer::hang);
  }

  @Test
  void shouldBeUnavailableWhenTheServerClosesAtOnce() throws IOException {
    assertConnectFails("KVA-0511", PATIENT, peer -> peer.expect(MessageType.HELLO));
  }

  @Test
  void shouldBeUnavailableWhenAnotherProgramAnswers() throws IOException {
    for (final String text :
        List.of(
            "-ERR unknown command\r\n",
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            "\0\0\0\0\0\0\0\0\0\0\0\0")) {
      assertConnectFails(
          "KVA-0513",
          PATIENT,
          peer -> {
            peer.sendRaw(text.getBytes(UTF_8));
            peer.hang();
          });
    }
  }

  @Test
  void shouldBeUnavailableWhenHelloOkIsNoGreeting() throws IOException {
    for (final String json :
        List.of(
            "[]",
            "{}",
            "{\"proto",
            "{\"protocol\":2,\"segments\":[]}",
            "{\"protocol\":1,\"segments\":[]}",
            "{\"protocol\":1,\"segments\":[{\"index\":1,\"path\":\"/x\",\"bytes\":1}]}",
            "{\"protocol\":1,\"segments\":[{\"index\":0,\"path\":7,\"bytes\":1}]}",
            "{\"protocol\":1,\"segments\":[{\"index\":0,\"path\":\"x\",\"bytes\":1}]}",
            "{\"protocol\":1,\"segments\":[{\"index\":0,\"path\":\"/\\u0000\",\"bytes\":1}]}",
            "{\"protocol\":1,\"segments\":[{\"index\":0,\"path\":\"/x\",\"bytes\":-1}]}",
            "{\"protocol\":1,\"segments\":[{\"index\":0,\"path\":\"/x\",\"bytes\":1e30}]}")) {
      assertConnectFails("KVA-0513", PATIENT, peer -> peer.answer(MessageType.HELLO, json));
    }
  }

  @Test
  void shouldBeUnavailableWhenASegmentIsMissingOrOfAnotherSize() throws IOException {
    final Path segment = ScriptedServer.segment(folder);
    for (final String json :
        List.of(
            ScriptedServer.helloOk(folder.resolve("gone.slab"), ScriptedServer.SEGMENT_BYTES),
            ScriptedServer.helloOk(folder, ScriptedServer.SEGMENT_BYTES),
            ScriptedServer.helloOk(segment, ScriptedServer.SEGMENT_BYTES * 2L),
            ScriptedServer.helloOk(segment, ScriptedServer.SEGMENT_BYTES / 2))) {
      assertConnectFails("KVA-0514", PATIENT, peer -> peer.answer(MessageType.HELLO, json));
    }
  }

  @Test
  void shouldTellTheErrorWhenTheNodeRefuses() throws IOException {
    final Script refusal =
        peer -> {
          final int correlationId = peer.expect(MessageType.HELLO).correlationId();
          ErrorBody.encode(peer.writer(), correlationId, ErrorCode.TOO_MANY, "sockets=64");
          peer.flush();
        };
    try (ScriptedServer server = new ScriptedServer(folder, refusal)) {
      final var e =
          assertThrows(KvasirProtocolException.class, () -> connect(server.socket(), PATIENT));
      assertEquals(ErrorCode.TOO_MANY, e.errorCode());
      assertTrue(e.isDefinite());
      assertTrue(e.isRetryable());
      assertMessage("sockets=64", e);
    }
  }

  @Test
  void shouldStayOpenWhenAnErrorConcernsOneRequest() throws IOException {
    withClient(
        peer -> {
          register(peer);
          final int correlationId = peer.expect(MessageType.LOOKUP).correlationId();
          ErrorBody.encode(peer.writer(), correlationId, ErrorCode.STALE_EPOCH, "epoch=0");
          peer.flush();
          peer.answer(MessageType.STATS, "{}");
        },
        client -> {
          final Space space = register(client);
          final var e =
              assertThrows(
                  KvasirProtocolException.class,
                  () -> client.lookup(space, 0, ANCHOR, HASHES, 2, 900));
          assertEquals(ErrorCode.STALE_EPOCH, e.errorCode());
          assertTrue(client.isOpen());
          assertEquals("{}", client.stats());
        });
  }

  @Test
  void shouldLoadAndStoreWhenTheServerKeepsTheProtocol() throws IOException {
    withClient(
        peer -> {
          register(peer);
          final Frame lookup = peer.expect(MessageType.LOOKUP);
          assertEquals(900, new LookupBody().wrap(lookup).prefillTokensPerSecond());
          int id = lookup.correlationId();
          FoundBody.encode(peer.writer(), id, false, 2, 1, 8192, 4096, 70, 1, LoadAdvice.BANDWIDTH);
          peer.flush();
          id = peer.expect(MessageType.ACQUIRE).correlationId();
          AcquiredBody.encode(peer.writer(), id, 77, 2);
          ready(peer, 77, 0, 0, 0);
          EmptyBody.encode(peer.writer(), MessageType.PING, 5);
          peer.flush();
          peer.expect(MessageType.PONG);
          ready(peer, 77, 1, 0, ScriptedServer.SEGMENT_BYTES - CHUNK_BYTES);
          AcquireEndBody.encode(peer.writer(), 77, 2, EndReason.COMPLETE);
          peer.flush();
          id = peer.expect(MessageType.RELEASE).correlationId();
          ReleasedBody.encode(peer.writer(), id, 77, ReleaseStatus.OK);
          peer.flush();
          id = peer.expect(MessageType.RESERVE).correlationId();
          ReservedBody.begin(peer.writer(), id, 2);
          ReservedBody.addReserved(peer.writer(), 3, 0, 8192);
          ReservedBody.addRefused(peer.writer(), ReserveStatus.BUSY);
          ReservedBody.end(peer.writer());
          peer.flush();
          id = peer.expect(MessageType.COMMIT).correlationId();
          CommittedBody.begin(peer.writer(), id, 1);
          CommittedBody.add(peer.writer(), 3, CommitStatus.COMMITTED, 9);
          CommittedBody.end(peer.writer());
          peer.flush();
          id = peer.expect(MessageType.GOODBYE).correlationId();
          EmptyBody.encode(peer.writer(), MessageType.GOODBYE_OK, id);
          peer.flush();
        },
        client -> {
          final Space space = register(client);
          assertEquals(
              new LookupResult(false, 2, 1, 8192, 4096, 70, 1, LoadAdvice.BANDWIDTH),
              client.lookup(space, 0, ANCHOR, HASHES, 2, 900));
          load(client, space);
          store(client, space);
          client.goodbye();
          assertFalse(client.isOpen());
          assertThrows(NodeUnavailableException.class, client::stats);
        });
  }

  @Test
  void shouldRefuseForeignSpacesWhenTheConnectionIsNew() throws IOException {
    final Space[] old = new Space[1];
    withClient(KvasirClientTest::register, client -> old[0] = register(client));
    withClient(
        Peer::hang,
        client ->
            assertThrows(
                IllegalArgumentException.class,
                () -> client.lookup(old[0], 0, ANCHOR, HASHES, 1, 0)));
  }

  @Test
  void shouldBeUnavailableWhenTheServerClosesBetweenReadyAndRelease() throws IOException {
    withClient(
        peer -> {
          register(peer);
          final int id = peer.expect(MessageType.ACQUIRE).correlationId();
          AcquiredBody.encode(peer.writer(), id, 77, 2);
          ready(peer, 77, 0, 0, 0);
          peer.flush();
        },
        client -> {
          final Space space = register(client);
          final Acquisition acquisition = client.acquire(space, 0, ANCHOR, HASHES, 2, PATIENT);
          assertThrows(
              NodeUnavailableException.class,
              () -> {
                while (acquisition.next() != null) {
                  // Chunks that were announced may still be handed out; they count for nothing.
                }
              });
          assertThrows(NodeUnavailableException.class, () -> client.release(acquisition));
          assertFalse(client.isOpen());
        });
  }

  @Test
  void shouldBeUnavailableWhenAnAcquisitionIsNeverEnded() throws IOException {
    withClient(
        peer -> {
          register(peer);
          final int id = peer.expect(MessageType.ACQUIRE).correlationId();
          AcquiredBody.encode(peer.writer(), id, 77, 2);
          peer.flush();
          peer.hang();
        },
        client -> {
          final Acquisition acquisition =
              client.acquire(register(client), 0, ANCHOR, HASHES, 2, SHORT);
          final var e = assertThrows(NodeUnavailableException.class, acquisition::next);
          assertMessage("KVA-0512 ", e);
        });
  }

  @Test
  void shouldBeUnavailableWhenPushesCannotBeTrue() throws IOException {
    final List<Consumer<Peer>> lies =
        List.of(
            peer -> ready(peer, 78, 0, 0, 0),
            peer -> ready(peer, 77, 1, 0, 0),
            peer -> ready(peer, 77, 0, 1, 0),
            peer -> ready(peer, 77, 0, 0, ScriptedServer.SEGMENT_BYTES),
            peer -> ready(peer, 77, 0, 0, Long.MAX_VALUE),
            peer -> ready(peer, 77, 0, 0, 0, CHUNK_BYTES + 1),
            peer -> ready(peer, 77, 0, 0, 0, 0),
            peer -> AcquireEndBody.encode(peer.writer(), 77, 1, EndReason.COMPLETE),
            peer -> EmptyBody.encode(peer.writer(), MessageType.PONG, 1),
            peer -> AcquiredBody.encode(peer.writer(), 999, 79, 1));
    for (final Consumer<Peer> lie : lies) {
      withClient(
          peer -> {
            register(peer);
            final int id = peer.expect(MessageType.ACQUIRE).correlationId();
            AcquiredBody.encode(peer.writer(), id, 77, 2);
            lie.accept(peer);
            peer.flush();
            peer.hang();
          },
          client -> {
            final Space space = register(client);
            final var e =
                assertThrows(
                    NodeUnavailableException.class,
                    () -> client.acquire(space, 0, ANCHOR, HASHES, 2, PATIENT).next());
            assertMessage("KVA-0513 ", e);
            assertFalse(client.isOpen());
          });
    }
  }

  @Test
  void shouldBeUnavailableWhenReservedPlacesLieOutside() throws IOException {
    withClient(
        peer -> {
          register(peer);
          final int id = peer.expect(MessageType.RESERVE).correlationId();
          ReservedBody.begin(peer.writer(), id, 1);
          ReservedBody.addReserved(peer.writer(), 3, 0, ScriptedServer.SEGMENT_BYTES - 1);
          ReservedBody.end(peer.writer());
          peer.flush();
        },
        client -> {
          final Space space = register(client);
          assertThrows(
              NodeUnavailableException.class, () -> client.reserve(space, 0, ANCHOR, HASHES, 1));
        });
  }

  @Test
  void shouldAnswerPingWhenTheEngineIsIdle() throws IOException {
    final CountDownLatch answered = new CountDownLatch(1);
    withClient(
        peer -> {
          EmptyBody.encode(peer.writer(), MessageType.PING, 0xABCDEF);
          peer.flush();
          assertEquals(0xABCDEF, peer.expect(MessageType.PONG).correlationId());
          answered.countDown();
          peer.hang();
        },
        client -> assertTrue(await(answered)));
  }

  @Test
  void shouldNoticeTheLossWhenTheEngineIsIdle() throws IOException {
    withClient(
        peer -> {},
        client -> {
          while (client.isOpen()) {
            Thread.onSpinWait();
          }
        });
  }

  @Test
  void shouldEndTheCallWhenTheThreadIsInterrupted() throws IOException {
    withClient(
        Peer::hang,
        client -> {
          Thread.currentThread().interrupt();
          assertThrows(NodeUnavailableException.class, client::stats);
          assertTrue(Thread.interrupted(), "the interrupt is kept");
        });
  }

  @Test
  void shouldLeaveNoThreadWhenClosed() throws IOException {
    withClient(
        Peer::hang,
        client -> {
          client.close();
          client.close();
          assertTrue(
              Thread.getAllStackTraces().keySet().stream()
                  .noneMatch(t -> t.getName().equals("kvasir-client-keeper")));
        });
  }

  private static void load(KvasirClient client, Space space) {
    final Acquisition acquisition = client.acquire(space, 0, ANCHOR, HASHES, 2, PATIENT);
    assertEquals(2, acquisition.chunks());
    for (int i = 0; i < 2; i++) {
      final LoadedChunk chunk = acquisition.next();
      assertNotNull(chunk);
      assertEquals(i, chunk.index());
      assertEquals(CHUNK_BYTES, chunk.memory().byteSize());
      assertTrue(chunk.memory().isReadOnly());
    }
    assertNull(acquisition.next());
    assertEquals(EndReason.COMPLETE, acquisition.endReason());
    assertTrue(client.release(acquisition));
    assertThrows(IllegalArgumentException.class, acquisition::next);
    assertThrows(IllegalArgumentException.class, () -> client.release(acquisition));
  }

  private void store(KvasirClient client, Space space) {
    final Reservation[] reservations = client.reserve(space, 0, ANCHOR, HASHES, 2);
    assertEquals(ReserveStatus.BUSY, reservations[1].status());
    final var memory = reservations[0].memory();
    assertNotNull(memory);
    memory.set(ValueLayout.JAVA_BYTE, 1, (byte) 42);
    assertEquals(42, segmentByte(8193));
    assertEquals(
        List.of(new CommitResult(3, CommitStatus.COMMITTED, 9)),
        List.of(client.commit(space, new int[] {3}, true)));
  }

  private byte segmentByte(int offset) {
    try {
      return Files.readAllBytes(folder.resolve("segment-0.slab"))[offset];
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void ready(Peer peer, long acquireId, int index, int segment, long offset) {
    ready(peer, acquireId, index, segment, offset, CHUNK_BYTES);
  }

  private static void ready(
      Peer peer, long acquireId, int index, int segment, long offset, int lengthBytes) {
    ReadyBody.begin(peer.writer(), acquireId, index, 1);
    ReadyBody.add(peer.writer(), 1, segment, offset, lengthBytes, ChunkSource.LOCAL, 5);
    ReadyBody.end(peer.writer());
  }

  private static void register(Peer peer) throws IOException {
    peer.answer(
        MessageType.REGISTER,
        "{\"space\":3,\"fingerprint\":\""
            + NAMESPACE.fingerprint()
            + "\",\"chunkTokens\":128,\"chunkBytes\":"
            + CHUNK_BYTES
            + ",\"epoch\":0}");
  }

  private static Space register(KvasirClient client) {
    return client.register(new SpaceRequest(NAMESPACE, 128, CHUNK_BYTES));
  }

  private void assertConnectFails(String code, Duration timeout, Script script) throws IOException {
    try (ScriptedServer server = new ScriptedServer(folder, script)) {
      final KvasirException e =
          assertThrows(KvasirException.class, () -> connect(server.socket(), timeout));
      assertInstanceOf(NodeUnavailableException.class, e);
      assertMessage(code + " ", e);
    }
  }

  private void withClient(Script script, Consumer<KvasirClient> test) throws IOException {
    final Path segment = ScriptedServer.segment(folder);
    final String greeting = ScriptedServer.helloOk(segment, ScriptedServer.SEGMENT_BYTES);
    final Script greeted =
        peer -> {
          peer.answer(MessageType.HELLO, greeting);
          script.run(peer);
        };
    try (ScriptedServer server = new ScriptedServer(folder, greeted);
        KvasirClient client = connect(server.socket(), PATIENT)) {
      test.accept(client);
    }
  }

  private static void assertMessage(String part, KvasirException e) {
    assertTrue(String.valueOf(e.getMessage()).contains(part), e::toString);
  }

  private static KvasirClient connect(Path socket, Duration timeout) {
    return KvasirClient.connect(socket, EngineIdentity.single("test", "1"), timeout);
  }

  private static boolean await(CountDownLatch latch) {
    try {
      return latch.await(PATIENT.toSeconds(), TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
