/** The quickstart: a small cluster under a workload of real text, with and without the cache. */
@NullMarked
package io.kvasir.cli.quickstart;

import org.jspecify.annotations.NullMarked;
