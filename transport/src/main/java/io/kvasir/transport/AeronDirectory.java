package io.kvasir.transport;

import io.aeron.CncFileDescriptor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import org.agrona.IoUtil;

/**
 * The directory of an embedded media driver. Aeron tells a live driver by a heartbeat that is up to
 * ten seconds old, so a node killed and restarted at once would wait for itself. Here the process
 * that wrote the directory decides.
 */
final class AeronDirectory {
  /** Process start times are rounded by the kernel's clock tick and boot time. */
  private static final long START_TIME_ERROR_MS = 2_000;

  private AeronDirectory() {}

  /**
   * Deletes what a dead driver left.
   *
   * @throws IllegalStateException if the process of the driver lives.
   */
  static void clear(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return;
    }
    Path cnc = directory.resolve(CncFileDescriptor.CNC_FILE);
    if (Files.isRegularFile(cnc)) {
      refuseLive(directory, cnc);
    } else if (!Files.isDirectory(directory) || !isEmpty(directory)) {
      throw new IllegalStateException(
          "KVA-0407 not an Aeron directory - path="
              + directory
              + "; choose another transport.aeron-dir or remove it");
    }
    IoUtil.delete(directory.toFile(), false);
  }

  private static boolean isEmpty(Path directory) throws IOException {
    try (var entries = Files.list(directory)) {
      return entries.findAny().isEmpty();
    }
  }

  private static void refuseLive(Path directory, Path cnc) throws IOException {
    ByteBuffer meta = ByteBuffer.allocate(CncFileDescriptor.META_DATA_LENGTH);
    meta.order(ByteOrder.nativeOrder());
    try (FileChannel file = FileChannel.open(cnc, StandardOpenOption.READ)) {
      while (meta.hasRemaining() && file.read(meta) >= 0) {}
    }
    if (meta.hasRemaining()) {
      return;
    }
    long pid = meta.getLong(CncFileDescriptor.pidOffset(0));
    long driverStartMs = meta.getLong(CncFileDescriptor.startTimestampOffset(0));
    boolean alive =
        pid > 0
            && ProcessHandle.of(pid)
                .filter(ProcessHandle::isAlive)
                .flatMap(process -> process.info().startInstant())
                .map(Instant::toEpochMilli)
                .filter(startMs -> startMs <= driverStartMs + START_TIME_ERROR_MS)
                .isPresent();
    if (alive) {
      throw new IllegalStateException(
          "KVA-0408 Aeron directory is in use - path="
              + directory
              + " pid="
              + pid
              + "; give each node its own transport.aeron-dir");
    }
  }
}
