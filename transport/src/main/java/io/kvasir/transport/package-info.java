/** Node to node over Aeron: sessions, pulls, credits and lane groups. */
@NullMarked
package io.kvasir.transport;

import org.jspecify.annotations.NullMarked;
