/** The configuration of a node: file, environment and overrides, checked as a whole. */
@NullMarked
package io.kvasir.node.config;

import org.jspecify.annotations.NullMarked;
