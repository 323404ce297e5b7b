/** {@code kvasir replay}: a request trace against real node processes, every byte proven. */
@NullMarked
package io.kvasir.cli.replay;

import org.jspecify.annotations.NullMarked;
