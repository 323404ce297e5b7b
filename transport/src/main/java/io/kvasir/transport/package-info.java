/**
 * Node to node over Aeron: sessions, pulls, credits and lane groups.
 *
 * <p>{@link io.kvasir.transport.Transport} is the way in. The protocol is drawn in {@code
 * docs/spec/peer-protocol.md}.
 */
@NullMarked
package io.kvasir.transport;

import org.jspecify.annotations.NullMarked;
