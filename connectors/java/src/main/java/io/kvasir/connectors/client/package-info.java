/** The client that an inference engine embeds. */
@NullMarked
package io.kvasir.connectors.client;

import org.jspecify.annotations.NullMarked;
