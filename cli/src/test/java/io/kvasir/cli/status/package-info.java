@NullMarked
package io.kvasir.cli.status;

import org.jspecify.annotations.NullMarked;
