/** Tests of the store. */
@NullMarked
package io.kvasir.node.store;

import org.jspecify.annotations.NullMarked;
