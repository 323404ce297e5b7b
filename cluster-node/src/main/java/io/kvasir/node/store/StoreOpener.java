package io.kvasir.node.store;

import io.kvasir.placement.EvictionPolicies;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens the files of a store: adopts what an earlier run left if boot, geometry and files agree,
 * else starts empty. The slot table decides; slab, directory and namespaces must be of the same
 * slab id.
 */
final class StoreOpener {
  private static final Logger LOG = LoggerFactory.getLogger(StoreOpener.class);

  /** Exactly what this package makes: the directory may be one that holds other people's files. */
  private static final String OWN_FILES =
      "{slab-????????????????-????.seg,slots.kv,directory.kv,namespaces.kv,namespaces.kv.new}";

  private final StoreConfig config;
  private final StoreEnvironment environment;
  private final StoreCounters counters;
  private final Path slabDirectory;

  StoreOpener(StoreConfig config, StoreEnvironment environment, StoreCounters counters) {
    this.config = config;
    this.environment = environment;
    this.counters = counters;
    this.slabDirectory = config.slabDirectory();
  }

  /**
   * The opened parts; the caller closes them.
   *
   * @param uid the user that the files belong to
   */
  record Opened(Slots slots, NamespaceTable namespaces, int uid) {}

  Opened open() throws IOException {
    SlotTable table = adoptableTable();
    if (table != null) {
      NamespaceTable namespaces = NamespaceTable.open(slabDirectory, table.identity().slabId());
      if (namespaces != null) {
        return adopt(table, namespaces);
      }
      LOG.warn("KVA-0210 starting with an empty store - reason=namespace table missing or damaged");
      table.close();
    }
    return create();
  }

  /**
   * The slot table of an earlier run if everything it names is there and of this boot, else null.
   */
  private @Nullable SlotTable adoptableTable() throws IOException {
    Path file = slabDirectory.resolve(SlotTable.FILE_NAME);
    if (!Files.exists(file)) {
      return null;
    }
    SlotTable table = SlotTable.openExisting(file);
    if (table == null) {
      LOG.warn("KVA-0210 starting with an empty store - reason=slot table damaged file={}", file);
      return null;
    }
    SlotTable.Identity found = table.identity();
    SlotTable.Identity wanted = identity(found.slabId());
    if (!found.equals(wanted)) {
      LOG.warn(
          "KVA-0210 starting with an empty store - reason=other boot or geometry found={}"
              + " wanted={}",
          found,
          wanted);
      table.close();
      return null;
    }
    for (SegmentFile segment : Slab.layout(config, found.slabId())) {
      if (!Files.isRegularFile(segment.path()) || Files.size(segment.path()) != segment.bytes()) {
        LOG.warn(
            "KVA-0210 starting with an empty store - reason=slab segment missing or of another size"
                + " file={}",
            segment.path());
        table.close();
        return null;
      }
    }
    return table;
  }

  private SlotTable.Identity identity(long slabId) {
    return new SlotTable.Identity(
        environment.host().bootId(),
        slabId,
        config.slabBytes(),
        config.segmentBytes(),
        config.maxChunks());
  }

  private Opened create() throws IOException {
    long slabId = environment.nextId();
    SlotTable.Identity identity = identity(slabId);
    deleteAllBut(Set.of());
    checkSpace();
    try {
      // Chronicle compiles classes and the slab writes zeros: side by side.
      Running<Directory> directory =
          new Running<>(() -> Directory.create(directoryFile(), identity));
      try (Undo undo = new Undo()) {
        Slab slab = undo.add(Slab.create(config, slabId));
        undo.add(directory::closeResult);
        NamespaceTable namespaces = NamespaceTable.create(slabDirectory, slabId);
        Directory opened = directory.join();
        // Last: a slot table says that everything else is whole.
        SlotTable table =
            undo.add(SlotTable.create(slabDirectory.resolve(SlotTable.FILE_NAME), identity));
        Slots slots =
            slots(
                slab,
                table,
                new KeyIndex(table),
                opened,
                new ExtentAllocator(config.slabBytes(), config.segmentBytes(), config.maxChunks()));
        finish(slots);
        Opened all = new Opened(slots, namespaces, uid());
        undo.cancel();
        return all;
      }
    } catch (IOException | RuntimeException e) {
      deleteAllBut(Set.of());
      throw e;
    }
  }

  private Opened adopt(SlotTable table, NamespaceTable namespaces) throws IOException {
    SlotTable.Identity identity = table.identity();
    try (Undo undo = new Undo()) {
      undo.add(table);
      deleteStraySegments(identity.slabId());
      Running<Directory> recovery =
          new Running<>(
              () -> {
                Directory recovered = Directory.recover(directoryFile(), identity);
                return recovered != null ? recovered : Directory.create(directoryFile(), identity);
              });
      undo.add(recovery::closeResult);
      Slab slab = undo.add(Slab.adopt(config, identity.slabId()));
      KeyIndex index = new KeyIndex(table);
      ExtentAllocator extents =
          new ExtentAllocator(config.slabBytes(), config.segmentBytes(), config.maxChunks());
      Directory directory = recovery.join();
      Slots slots = slots(slab, table, index, directory, extents);
      new Adoption(slots, environment.host(), counters).run();
      finish(slots);
      Opened all = new Opened(slots, namespaces, uid());
      undo.cancel();
      return all;
    }
  }

  private int uid() throws IOException {
    return OwnerOnly.uid(slabDirectory.resolve(SlotTable.FILE_NAME));
  }

  private Slots slots(
      Slab slab, SlotTable table, KeyIndex index, Directory directory, ExtentAllocator extents) {
    return new Slots(
        config,
        slab,
        table,
        index,
        directory,
        extents,
        EvictionPolicies.create(config.evictionPolicy(), config.maxChunks()));
  }

  private void finish(Slots slots) {
    slots.collectFree();
    slots.table.incarnation(environment.nextId());
  }

  private Path directoryFile() {
    return slabDirectory.resolve(Directory.FILE_NAME);
  }

  /** Refuses before anything is written if the files will not fit, naming the sum. */
  private void checkSpace() throws IOException {
    StoreFootprint footprint = StoreFootprint.of(config.slabBytes(), config.maxChunks());
    FileStore fileStore = Files.getFileStore(slabDirectory);
    long usable = fileStore.getUsableSpace();
    if (footprint.sumBytes() > usable) {
      throw new StoreException(
          "KVA-0205 store does not fit on its file system - directory="
              + slabDirectory
              + " slabBytes="
              + footprint.slabBytes()
              + " slotTableBytes="
              + footprint.slotTableBytes()
              + " directoryBytes="
              + footprint.directoryBytes()
              + " sum="
              + footprint.sumBytes()
              + " (limit="
              + usable
              + " usable bytes); lower store.slab-bytes or store.max-chunks, free space, or enlarge"
              + " the file system");
    }
  }

  private void deleteStraySegments(long slabId) throws IOException {
    Set<Path> keep = new HashSet<>();
    for (SegmentFile segment : Slab.layout(config, slabId)) {
      keep.add(segment.path().getFileName());
    }
    for (String name :
        List.of(SlotTable.FILE_NAME, Directory.FILE_NAME, NamespaceTable.FILE_NAME)) {
      keep.add(Path.of(name));
    }
    deleteAllBut(keep);
  }

  /** Deletes the store's own files; the slot table first, since it vouches for the others. */
  private void deleteAllBut(Set<Path> keep) throws IOException {
    if (!keep.contains(Path.of(SlotTable.FILE_NAME))) {
      Files.deleteIfExists(slabDirectory.resolve(SlotTable.FILE_NAME));
    }
    try (DirectoryStream<Path> files = Files.newDirectoryStream(slabDirectory, OWN_FILES)) {
      for (Path file : files) {
        if (!keep.contains(file.getFileName())) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  /** A part that is opened on a thread of its own meanwhile. */
  private static final class Running<T extends AutoCloseable> {
    private final FutureTask<T> task;

    Running(Callable<T> open) {
      task = new FutureTask<>(open);
      Thread.ofPlatform().daemon().name("kvasir-store-open").start(task);
    }

    T join() throws IOException {
      try {
        return task.get();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while opening the store", e);
      } catch (ExecutionException e) {
        switch (e.getCause()) {
          case IOException io -> throw io;
          case RuntimeException runtime -> throw runtime;
          case null, default -> throw new IOException("opening the directory failed", e);
        }
      }
    }

    /** Waits for the opening and closes what it made. */
    void closeResult() throws Exception {
      join().close();
    }
  }

  /** Closes in reverse order what was opened so far, unless opening came to its end. */
  private static final class Undo implements AutoCloseable {
    private final ArrayDeque<AutoCloseable> opened = new ArrayDeque<>();

    <T extends AutoCloseable> T add(T resource) {
      opened.push(resource);
      return resource;
    }

    void cancel() {
      opened.clear();
    }

    @Override
    public void close() throws IOException {
      IOException failure = null;
      while (!opened.isEmpty()) {
        try {
          opened.pop().close();
        } catch (Exception e) {
          failure =
              failure == null ? new IOException("closing the store's parts failed", e) : failure;
        }
      }
      if (failure != null) {
        throw failure;
      }
    }
  }
}
