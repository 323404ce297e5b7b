/** The cluster-wide index, an embedded Ignite ring. */
@NullMarked
package io.kvasir.node.index;

import org.jspecify.annotations.NullMarked;
