/** Benchmarks, each beside the reference that does the same work. */
@NullMarked
package io.kvasir.benchmarks;

import org.jspecify.annotations.NullMarked;
