/** The {@code kvasir} command. */
@NullMarked
package io.kvasir.cli;

import org.jspecify.annotations.NullMarked;
