package io.kvasir.node.store;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * The mapped segment files that hold the bytes of all chunks. Offsets run over the whole slab:
 * segment = offset / segment length. The slab owns one arena; its memory is invalid after {@link
 * #close}.
 *
 * <p>The files have no header: engines map them whole. Their names carry the slab id, which ties
 * them to one slot table ({@code slab-<id in hex>-<number>.seg}).
 *
 * <p>Thread-safe for reading the layout; the bytes belong to whoever holds the slot.
 */
final class Slab implements AutoCloseable {
  private static final int STRIP_BYTES = 16 << 20;
  private static final byte POISON = (byte) 0xDE;
  private static final long POISON_WORD = 0xDEDE_DEDE_DEDE_DEDEL;

  private final Arena arena = Arena.ofShared();
  private final List<SegmentFile> files;
  private final MemorySegment[] segments;
  private final long segmentBytes;

  private Slab(List<SegmentFile> files, long segmentBytes) {
    this.files = List.copyOf(files);
    this.segmentBytes = segmentBytes;
    this.segments = new MemorySegment[files.size()];
  }

  /** Names and lengths of the files of a slab; they need not exist. */
  static List<SegmentFile> layout(StoreConfig config, long slabId) {
    List<SegmentFile> files = new ArrayList<>();
    for (int i = 0; i < config.segmentCount(); i++) {
      Path path = segmentPath(config.slabDirectory().toAbsolutePath(), slabId, i);
      files.add(new SegmentFile(path, config.segmentBytes(i)));
    }
    return files;
  }

  static Path segmentPath(Path slabDirectory, long slabId, int number) {
    return slabDirectory.resolve(String.format("slab-%016x-%04d.seg", slabId, number));
  }

  /** Makes the files, every page of them backed by memory, and maps them. */
  static Slab create(StoreConfig config, long slabId) throws IOException {
    Slab slab = new Slab(layout(config, slabId), config.segmentBytes());
    try {
      slab.inParallel(Slab::writeZeros);
      slab.map();
      return slab;
    } catch (IOException | RuntimeException e) {
      slab.close();
      for (SegmentFile file : slab.files) {
        Files.deleteIfExists(file.path());
      }
      throw e;
    }
  }

  /** Maps existing files and never writes to them. Their lengths must have been checked. */
  static Slab adopt(StoreConfig config, long slabId) throws IOException {
    Slab slab = new Slab(layout(config, slabId), config.segmentBytes());
    try {
      slab.map();
      return slab;
    } catch (IOException | RuntimeException e) {
      slab.close();
      throw e;
    }
  }

  private void map() throws IOException {
    for (int i = 0; i < segments.length; i++) {
      SegmentFile file = files.get(i);
      try (FileChannel channel =
          FileChannel.open(file.path(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        segments[i] = channel.map(FileChannel.MapMode.READ_WRITE, 0, file.bytes(), arena);
      }
    }
    inParallel(this::touch);
  }

  /** Fills the page tables now, so that no transfer pays for the first access. */
  private void touch(SegmentFile file) {
    segments[files.indexOf(file)].load();
  }

  /** Backs the whole file with memory: afterwards no access can fail for want of space. */
  private static void writeZeros(SegmentFile file) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file.path(),
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            OwnerOnly.file())) {
      ByteBuffer zeros = ByteBuffer.allocateDirect((int) Math.min(STRIP_BYTES, file.bytes()));
      for (long written = 0; written < file.bytes(); ) {
        zeros.clear().limit((int) Math.min(zeros.capacity(), file.bytes() - written));
        written += channel.write(zeros, written);
      }
    } catch (IOException e) {
      throw new StoreException(
          "KVA-0204 slab segment cannot be written - file="
              + file.path()
              + " bytes="
              + file.bytes()
              + " cause="
              + e.getMessage()
              + "; free space there or lower store.slab-bytes",
          e);
    }
  }

  private interface FileAction {
    void run(SegmentFile file) throws IOException;
  }

  private void inParallel(FileAction action) throws IOException {
    int threads = Math.min(files.size(), Runtime.getRuntime().availableProcessors());
    try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
      List<Future<?>> all = new ArrayList<>();
      for (SegmentFile file : files) {
        all.add(
            pool.submit(
                () -> {
                  action.run(file);
                  return null;
                }));
      }
      for (Future<?> one : all) {
        one.get();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while preparing the slab", e);
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case StoreException known -> throw known;
        case IOException io -> throw io;
        case UncheckedIOException io -> throw io.getCause();
        case null, default -> throw new IOException("preparing the slab failed", e);
      }
    }
  }

  List<SegmentFile> files() {
    return files;
  }

  int segmentOf(long slabOffset) {
    return (int) (slabOffset / segmentBytes);
  }

  long offsetInSegment(long slabOffset) {
    return slabOffset % segmentBytes;
  }

  /** A view of one extent. */
  MemorySegment memory(long slabOffset, int lengthBytes) {
    return segments[segmentOf(slabOffset)].asSlice(offsetInSegment(slabOffset), lengthBytes);
  }

  /** One buffer per segment, over its whole length: checksum workers move position and limit. */
  ByteBuffer[] buffers() {
    ByteBuffer[] buffers = new ByteBuffer[segments.length];
    for (int i = 0; i < buffers.length; i++) {
      buffers[i] = segments[i].asByteBuffer();
    }
    return buffers;
  }

  /** Overwrites an extent, so that a stale reader cannot mistake it for data. */
  void poison(long slabOffset, int granules) {
    memory(slabOffset, granules * ExtentAllocator.GRANULE_BYTES).fill(POISON);
  }

  /** Whether the granule's first and last word are poison. */
  boolean isPoisoned(long slabOffset) {
    MemorySegment granule = memory(slabOffset, ExtentAllocator.GRANULE_BYTES);
    long first = granule.get(ValueLayout.JAVA_LONG, 0);
    long last = granule.get(ValueLayout.JAVA_LONG, ExtentAllocator.GRANULE_BYTES - Long.BYTES);
    return first == POISON_WORD && last == POISON_WORD;
  }

  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
