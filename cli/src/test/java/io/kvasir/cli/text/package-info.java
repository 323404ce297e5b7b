@NullMarked
package io.kvasir.cli.text;

import org.jspecify.annotations.NullMarked;
