package io.kvasir.transport;

import io.aeron.Aeron;
import io.aeron.AvailableImageHandler;
import io.aeron.CommonContext;
import io.aeron.PublicationErrorFrameHandler;
import io.aeron.Subscription;
import io.aeron.UnavailableImageHandler;
import io.aeron.driver.MediaDriver;
import io.aeron.driver.ThreadingMode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.agrona.CloseHelper;
import org.agrona.ErrorHandler;
import org.agrona.concurrent.AgentInvoker;
import org.jspecify.annotations.Nullable;

/**
 * The media driver (embedded, unless another one is named), the Aeron client and the two
 * subscriptions of a node. Everything runs inside {@link #doWork()}, on the lane thread.
 */
final class AeronStack implements AutoCloseable {
  private static final int COUNTER_VALUES_BYTES = 1 << 20;
  private static final int PORT_POLLS_MAX = 10_000;

  /** What the lane wants to hear of Aeron; called inside {@link #doWork()}. */
  record Handlers(
      AvailableImageHandler imageAvailable,
      UnavailableImageHandler imageUnavailable,
      PublicationErrorFrameHandler publicationRejected,
      ErrorHandler errors,
      Runnable setupDropped,
      LaneIdle idle) {}

  private final @Nullable MediaDriver driver;
  private final @Nullable AgentInvoker driverInvoker;
  private final Aeron aeron;
  private final AgentInvoker clientInvoker;
  private int port;

  private AeronStack(@Nullable MediaDriver driver, Aeron aeron) {
    this.driver = driver;
    this.driverInvoker = driver == null ? null : driver.sharedAgentInvoker();
    this.aeron = aeron;
    this.clientInvoker = aeron.conductorAgentInvoker();
  }

  /**
   * Starts driver and client and binds.
   *
   * @param address numeric address to bind.
   * @param port port to bind, or 0 for any free one.
   */
  static AeronStack open(
      TransportConfig config,
      String address,
      int port,
      SocketBuffers buffers,
      Handlers handlers,
      Consumer<MediaDriver.Context> adjustDriver)
      throws IOException {
    MediaDriver driver = null;
    Aeron aeron = null;
    try {
      if (config.externalDriver()) {
        requireDriver(config.aeronDirectory());
      } else {
        AeronDirectory.clear(config.aeronDirectory());
        driver = launch(config, Streams.mtuBytes(config, address), buffers, handlers, adjustDriver);
      }
      aeron = connect(config, driver, handlers);
      AeronStack stack = new AeronStack(driver, aeron);
      stack.port = stack.subscribe(address, port, buffers);
      return stack;
    } catch (RuntimeException | IOException e) {
      CloseHelper.quietCloseAll(aeron, driver);
      throw e;
    }
  }

  /** The client would wait ten seconds for one, and every pull with it. */
  private static void requireDriver(Path directory) {
    if (!CommonContext.isDriverActive(
        directory.toFile(), CommonContext.DEFAULT_DRIVER_TIMEOUT_MS, line -> {})) {
      throw new IllegalStateException(
          "KVA-0418 no media driver runs - transport.aeron-dir="
              + directory
              + "; start it, or set transport.external-driver to false");
    }
  }

  private static MediaDriver launch(
      TransportConfig config,
      int mtuBytes,
      SocketBuffers buffers,
      Handlers handlers,
      Consumer<MediaDriver.Context> adjustDriver) {
    MediaDriver.Context context =
        new MediaDriver.Context()
            .aeronDirectoryName(config.aeronDirectory().toString())
            .dirDeleteOnStart(true)
            .dirDeleteOnShutdown(true)
            .warnIfDirectoryExists(false)
            .threadingMode(ThreadingMode.INVOKER)
            // Peers are named by numeric addresses, so there is nothing to resolve elsewhere.
            .asyncExecutorEnabled(false)
            .termBufferSparseFile(true)
            .mtuLength(mtuBytes)
            .socketRcvbufLength(buffers.receiveBytes())
            .socketSndbufLength(buffers.sendBytes())
            .initialWindowLength(buffers.windowBytes())
            .streamSessionLimit(2 * config.maxSessions())
            .counterValuesBufferLength(COUNTER_VALUES_BYTES)
            .errorHandler(handlers.errors())
            .receiveChannelEndpointSupplier(
                (channel, dispatcher, status, ctx) ->
                    new GuardedReceiveEndpoint(
                        channel, dispatcher, status, ctx, handlers.setupDropped(), handlers.idle()))
            .sendChannelEndpointSupplier(
                (channel, status, ctx) ->
                    new WatchedSendEndpoint(channel, status, ctx, handlers.idle()));
    adjustDriver.accept(context);
    return MediaDriver.launch(context);
  }

  private static Aeron connect(
      TransportConfig config, @Nullable MediaDriver driver, Handlers handlers) {
    Aeron.Context context =
        new Aeron.Context()
            .aeronDirectoryName(config.aeronDirectory().toString())
            .clientName("kvasir-" + Long.toHexString(config.nodeId()))
            .useConductorAgentInvoker(true)
            .errorHandler(handlers.errors())
            .subscriberErrorHandler(handlers.errors())
            .availableImageHandler(handlers.imageAvailable())
            .unavailableImageHandler(handlers.imageUnavailable())
            .publicationErrorFrameHandler(handlers.publicationRejected());
    if (driver != null) {
      context.driverAgentInvoker(driver.sharedAgentInvoker());
    }
    return Aeron.connect(context);
  }

  private int subscribe(String address, int wantedPort, SocketBuffers buffers) {
    long tag = aeron.nextCorrelationId();
    Subscription control =
        aeron.addSubscription(
            Streams.subscription(address, wantedPort, tag, buffers), Streams.CONTROL);
    aeron.addSubscription(Streams.subscriptionOfTag(tag), Streams.DATA);
    for (int i = 0; i < PORT_POLLS_MAX; i++) {
      String resolved = control.resolvedEndpoint();
      Endpoint endpoint = resolved == null ? null : Endpoint.parse(resolved);
      if (endpoint != null) {
        return endpoint.port();
      }
      doWork();
      Thread.onSpinWait();
    }
    throw new IllegalStateException(
        "KVA-0409 endpoint not bound - address=" + address + " port=" + wantedPort);
  }

  Aeron aeron() {
    return aeron;
  }

  /** The bound port. */
  int port() {
    return port;
  }

  /** Whether driver or client gave up, for instance after this process was stopped for long. */
  boolean isDead() {
    return !clientInvoker.isRunning() || (driverInvoker != null && !driverInvoker.isRunning());
  }

  /** One duty cycle of driver and client. */
  int doWork() {
    int work = driverInvoker == null ? 0 : driverInvoker.invoke();
    return work + clientInvoker.invoke();
  }

  @Override
  public void close() {
    CloseHelper.closeAll(aeron, driver);
  }
}
