/** Frames of the engine protocol. */
@NullMarked
package io.kvasir.connectors.protocol;

import org.jspecify.annotations.NullMarked;
