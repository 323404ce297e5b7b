/** Text for people: tables and sizes. */
@NullMarked
package io.kvasir.cli.text;

import org.jspecify.annotations.NullMarked;
