/** The checks of {@code kvasir doctor}. */
@NullMarked
package io.kvasir.cli.doctor;

import org.jspecify.annotations.NullMarked;
