/** Pulls from and serves other nodes. */
@NullMarked
package io.kvasir.node.peer;

import org.jspecify.annotations.NullMarked;
