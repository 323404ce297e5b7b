package io.kvasir.benchmarks.reference;

import io.aeron.Aeron;
import io.aeron.driver.MediaDriver;
import io.aeron.driver.ThreadingMode;
import java.nio.file.Path;
import org.agrona.CloseHelper;
import org.agrona.concurrent.AgentInvoker;
import org.jspecify.annotations.Nullable;

/** An embedded media driver with a client, set up by {@link AeronSettings}. One thread uses it. */
final class AeronHost implements AutoCloseable {
  static final int STREAM_ID = 7_001;

  final Aeron aeron;
  private final MediaDriver driver;
  private final @Nullable AgentInvoker driverInvoker;

  AeronHost(AeronSettings settings, Path directory) {
    driver =
        MediaDriver.launch(
            new MediaDriver.Context()
                .aeronDirectoryName(directory.toString())
                .threadingMode(settings.mode())
                .asyncExecutorEnabled(false) // wakes a hundred times a second for nothing
                .mtuLength(settings.mtuBytes())
                .publicationTermBufferLength(settings.termBytes())
                .initialWindowLength(settings.windowBytes())
                .socketRcvbufLength(2 * settings.windowBytes())
                .socketSndbufLength(2 * settings.windowBytes())
                .termBufferSparseFile(false)
                .dirDeleteOnStart(true)
                .dirDeleteOnShutdown(true));
    driverInvoker = settings.mode() == ThreadingMode.INVOKER ? driver.sharedAgentInvoker() : null;
    Aeron.Context context =
        new Aeron.Context().aeronDirectoryName(directory.toString()).useConductorAgentInvoker(true);
    if (driverInvoker != null) {
      context.driverAgentInvoker(driverInvoker);
    }
    aeron = Aeron.connect(context);
  }

  /** Runs the parts that this thread owns. */
  int invoke() {
    int work = aeron.conductorAgentInvoker().invoke();
    return driverInvoker == null ? work : work + driverInvoker.invoke();
  }

  @Override
  public void close() {
    CloseHelper.closeAll(aeron, driver);
  }
}
