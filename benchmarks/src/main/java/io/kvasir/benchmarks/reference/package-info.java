/**
 * The rivals that our figures stand beside: the same work (read from a slab segment, deliver into a
 * slab slot, verify CRC-32C, two processes) done with nothing of ours in between.
 */
@NullMarked
package io.kvasir.benchmarks.reference;

import org.jspecify.annotations.NullMarked;
