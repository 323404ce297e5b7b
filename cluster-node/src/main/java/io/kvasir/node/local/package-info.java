/** Clusters of node processes on this machine, for quickstart, replay, benchmarks and tests. */
@NullMarked
package io.kvasir.node.local;

import org.jspecify.annotations.NullMarked;
