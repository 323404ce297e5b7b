/** The daemon, wired by hand. */
@NullMarked
package io.kvasir.node;

import org.jspecify.annotations.NullMarked;
