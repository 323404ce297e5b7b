/** The reference engine: a small but real transformer with a paged KV cache. */
@NullMarked
package io.kvasir.connectors.reference;

import org.jspecify.annotations.NullMarked;
