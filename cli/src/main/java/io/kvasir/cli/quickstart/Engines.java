package io.kvasir.cli.quickstart;

import io.kvasir.node.local.LocalCluster;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** One engine beside each node. They end with this, and with this JVM however it ends. */
final class Engines implements AutoCloseable {
  private final List<EngineProcess> engines = new ArrayList<>();
  private final Thread shutdownHook =
      Thread.ofPlatform().name("kvasir-engines-stop").unstarted(this::killAll);

  private Engines() {}

  /** Starts the engines; they log into the folder of the cluster. */
  static Engines start(LocalCluster cluster) throws IOException {
    final Engines all = new Engines();
    Runtime.getRuntime().addShutdownHook(all.shutdownHook);
    try {
      for (int i = 0; i < cluster.size(); i++) {
        final Path log = cluster.directory().resolve("engine-" + i + ".log");
        all.add(EngineProcess.start("engine-" + i, cluster.node(i).engineSocket(), log));
      }
      return all;
    } catch (IOException e) {
      all.close();
      throw e;
    }
  }

  List<EngineProcess> all() {
    return List.copyOf(engines);
  }

  @Override
  public void close() {
    engines.forEach(EngineProcess::close);
    try {
      Runtime.getRuntime().removeShutdownHook(shutdownHook);
    } catch (IllegalStateException e) {
      // The JVM is ending and the hook runs.
    }
  }

  private synchronized void add(EngineProcess engine) {
    engines.add(engine);
  }

  /** Nothing is lost with an engine, so there is no need to wait for what it computes. */
  private synchronized void killAll() {
    engines.forEach(EngineProcess::kill);
  }
}
