/** Pure placement: content hashes, chunk keys, namespaces, groups, rendezvous hashing, policies. */
@NullMarked
package io.kvasir.placement;

import org.jspecify.annotations.NullMarked;
