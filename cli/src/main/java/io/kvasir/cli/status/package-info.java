/** What {@code kvasir status} shows, and where it finds it. */
@NullMarked
package io.kvasir.cli.status;

import org.jspecify.annotations.NullMarked;
