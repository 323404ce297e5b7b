package io.kvasir.node.engine;

import io.kvasir.node.index.ClusterIndex;
import io.kvasir.node.peer.Handoffs;
import io.kvasir.node.peer.IndexFeed;
import io.kvasir.node.peer.LoadPlanner;
import io.kvasir.node.peer.PullCoordinator;
import io.kvasir.node.peer.RateProbe;
import io.kvasir.node.peer.StoreEvents;
import io.kvasir.node.store.Store;
import java.util.concurrent.Executor;
import java.util.function.Function;
import org.agrona.concurrent.NanoClock;

/**
 * What the endpoint works with.
 *
 * @param nodeName told in HELLO_OK
 * @param nodeId told in HELLO_OK
 * @param shareBytes most bytes of one engine's pins and reservations
 * @param chunkBytesMax largest chunk
 * @param stats the JSON that STATS answers
 * @param agent runs tasks on the node agent
 */
public record EngineServices(
    String nodeName,
    long nodeId,
    long shareBytes,
    long chunkBytesMax,
    Store store,
    StoreEvents events,
    PullCoordinator pulls,
    LoadPlanner planner,
    RateProbe probe,
    Handoffs handoffs,
    IndexFeed feed,
    ClusterIndex index,
    Function<EngineEndpoint, byte[]> stats,
    Executor agent,
    NanoClock clock) {}
