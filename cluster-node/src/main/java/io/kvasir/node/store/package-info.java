/** Slab, slot table, directory, pins and eviction. */
@NullMarked
package io.kvasir.node.store;

import org.jspecify.annotations.NullMarked;
