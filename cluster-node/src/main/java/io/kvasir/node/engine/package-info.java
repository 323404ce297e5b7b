/** The endpoint for local inference engines. */
@NullMarked
package io.kvasir.node.engine;

import org.jspecify.annotations.NullMarked;
