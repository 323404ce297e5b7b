/**
 * The cluster-wide index: which nodes hold a chunk, and who is a member. An embedded Apache Ignite
 * ring keeps both; everything in it is a hint that a node can rebuild from its own directory, so a
 * wrong or missing entry costs a miss and nothing else.
 */
@NullMarked
package io.kvasir.node.index;

import org.jspecify.annotations.NullMarked;
