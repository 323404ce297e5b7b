@NullMarked
package io.kvasir.cli.replay;

import org.jspecify.annotations.NullMarked;
